// One digest that is both a blob and a manifest of a repository, and an index that lists it as a
// manifest. A blob's link is removed under another lock than a manifest, and both look for
// references to the digest. A removal of the corrupt index leaves its reference behind, and who
// finds it without the index deletes it.
// Two pushers, and the collector as two processes, one for the link and one for the manifest. They
// look at any moment: grace periods and leases are in the other models. README.md maps the steps to
// functions, and says what each switch takes out.
//
// A transaction has steps as in manifests.pml. Who writes the reference waits for its lock and
// holds it until the commit.

#include "switch.inc"

#define CHILD 0
#define INDEX 1

bit here[2];                 // manifest/<repo>\0<digest>
bit reference;               // reference/<child>\0<repo>\0<index>
bit link;                    // link/<repo>\0<child>: the digest as a blob
byte blob_lock = FREE;       // blob/<child>
byte manifest_lock[2] = FREE;
byte reference_lock = FREE;

// What an index lists is there, and its reference, too.
#define CHECK assert(!here[INDEX] || (here[CHILD] && reference))
#define UNLOCK_ALL \
  UNLOCK(blob_lock); UNLOCK(manifest_lock[CHILD]); UNLOCK(manifest_lock[INDEX]); \
  UNLOCK(reference_lock)

proctype Pusher() {
  bit seen;

again:
  atomic {
    if
    :: goto push_child
    :: goto push_index
    :: here[INDEX] -> goto remove
    :: here[INDEX] -> goto remove_corrupt
    :: !link -> goto upload
    fi
  };

push_child:  // PUT of the child by its digest: ManifestPush
  atomic { LOCK(manifest_lock[CHILD], ALWAYS) };
  d_step { here[CHILD] = 1; CHECK; UNLOCK_ALL };
  goto again;

push_index:  // PUT of the index: ManifestPush. It locks no blob: the index names none.
  atomic {
    manifest_lock[CHILD] == FREE && manifest_lock[INDEX] == FREE ->
    LOCK(manifest_lock[CHILD], ALWAYS);
    LOCK(manifest_lock[INDEX], ALWAYS);
    seen = here[CHILD]
  };
  d_step {
    !seen || reference_lock == FREE ->
    if
    :: seen -> here[INDEX] = 1; reference = 1
    :: else
    fi;
    CHECK;
    UNLOCK_ALL;
    seen = 0
  };
  goto again;

remove:  // DELETE of the index: ManifestRemoval. It locks the children also as blobs.
  atomic { LOCK(blob_lock, ALWAYS) };
  atomic {
    manifest_lock[CHILD] == FREE && manifest_lock[INDEX] == FREE ->
    LOCK(manifest_lock[CHILD], ALWAYS);
    LOCK(manifest_lock[INDEX], ALWAYS);
    seen = here[INDEX]
  };
  d_step {
    !seen || reference_lock == FREE ->
    if
    :: seen -> here[INDEX] = 0; reference = 0
    :: else
    fi;
    CHECK;
    UNLOCK_ALL;
    seen = 0
  };
  goto again;

remove_corrupt:  // the same while the bytes of the index are corrupt: its children are unknown
  atomic { LOCK(manifest_lock[INDEX], ALWAYS) };
  d_step { here[INDEX] = 0; CHECK; UNLOCK_ALL };
  goto again;

upload:  // the digest as a blob: Blobs::Link. Nothing names it, so its link is condemned.
  atomic { LOCK(blob_lock, ALWAYS); link = 1; UNLOCK(blob_lock) };
  goto again
}

// Collection::FindReference under the locks of its caller. `found`: the reference is live.
inline FindReference(found, stale) {
  // FindLive: the scan of the references, then the look at the manifest of each
  atomic { stale = reference };
  atomic { found = stale && here[INDEX]; stale = stale && !found };
  if
  :: atomic {  // DeleteStale
      stale && CAN_LOCK(reference_lock, NO_LOCK_REFERENCE) ->
      LOCK(reference_lock, NO_LOCK_REFERENCE);
      found = !SWITCH(NO_LOOK_STALE) && here[INDEX] && reference;
      stale = !found
    }
  :: !stale
  fi
}

proctype LinkSweep() {  // LinkSweep::RemoveOne; also ManifestRemoval::CondemnUnreferenced
  bit found;
  bit stale;

again:
  atomic { link && blob_lock == FREE -> LOCK(blob_lock, ALWAYS) };
  FindReference(found, stale);
  d_step {
    !stale || CAN_LOCK(reference_lock, ALWAYS) || reference_lock == _pid ->
    reference = (stale -> 0 : reference);
    link = found;
    CHECK;
    UNLOCK_ALL;
    found = 0; stale = 0
  };
  goto again
}

proctype ManifestSweep() {  // ManifestSweep::RemoveLocked
  bit found;
  bit stale;

again:
  atomic { here[CHILD] && manifest_lock[CHILD] == FREE -> LOCK(manifest_lock[CHILD], ALWAYS) };
  FindReference(found, stale);
  d_step {
    !stale || CAN_LOCK(reference_lock, ALWAYS) || reference_lock == _pid ->
    reference = (stale -> 0 : reference);
    here[CHILD] = here[CHILD] && found;
    CHECK;
    UNLOCK_ALL;
    found = 0; stale = 0
  };
  goto again
}

init {
  atomic {
    run Pusher();
    run Pusher();
    run LinkSweep();
    run ManifestSweep()
  }
}
