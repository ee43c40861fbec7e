// The manifests of one repository: an image, an index that lists it, and a tag that can name
// either.
// Two pushers, and the collector of a run that also removes untagged manifests. README.md maps the
// steps to functions, and says what each switch takes out. store.pml has the blobs.
//
// A transaction has two steps. The first locks rows and looks, the second writes, commits and
// unlocks. Who writes a row untagged/ waits for its lock and holds it until the commit, so the
// second step waits for it.

#include "switch.inc"

#define IMAGE 0
#define INDEX 1
#define NONE 2

bit here[2];                 // manifest/<repo>\0<digest>
bit leased[2];               // its lease runs
byte tag = NONE;             // tag/<repo>\0<tag>, and its row tagged/
byte candidate[2];           // untagged/<repo>\0<digest>; 0: no row
#define WAITING 1            // the grace period runs
#define DUE 2
byte manifest_lock[2] = FREE;
byte untagged_lock[2] = FREE;
byte tag_lock = FREE;

bit claim[2];                // a pusher was told that the image exists, less than a lease ago
bit pulling;                 // a client got the image by a reference, less than a grace period ago

// Nothing that an index or a tag reaches is missing.
#define CHECK \
  assert(!here[INDEX] || here[IMAGE]); \
  assert(tag == NONE || here[tag])

#define UNTAGGED_FREE (untagged_lock[IMAGE] == FREE && untagged_lock[INDEX] == FREE)
// Locks what the push or the removal of the manifest `which` locks: an index also locks its child.
#define CAN_LOCK_ALL(which, name) \
  (SWITCH(name) || \
   (manifest_lock[IMAGE] == FREE && (which == IMAGE || manifest_lock[INDEX] == FREE)))
#define LOCK_ALL(which, name) \
  CAN_LOCK_ALL(which, name) -> \
  manifest_lock[IMAGE] = (SWITCH(name) -> manifest_lock[IMAGE] : _pid); \
  manifest_lock[INDEX] = (SWITCH(name) || which == IMAGE -> manifest_lock[INDEX] : _pid)
#define UNLOCK_ALL \
  UNLOCK(manifest_lock[IMAGE]); UNLOCK(manifest_lock[INDEX]); UNLOCK(tag_lock)

// Moves the tag. The manifest that loses it becomes a candidate.
inline SetTag(which) {
  if
  :: tag != NONE && tag != which -> candidate[tag] = WRITE(WAITING, NO_ADD_MOVED, candidate[tag])
  :: else
  fi;
  tag = which
}

proctype Pusher(byte me) {
  bit seen;
  byte which;
  bit tagged;

again:
  atomic {
    if
    :: manifest_lock[IMAGE] == FREE || SWITCH(NO_LOCK_HEAD) -> goto head
    :: which = IMAGE; goto push
    :: which = INDEX; goto push
    :: tag != NONE -> goto untag
    :: here[INDEX] -> which = INDEX; goto remove
    fi
  };

head:  // HEAD of the image by a caller who may push: Manifests::Touch
  atomic { LOCK(manifest_lock[IMAGE], NO_LOCK_HEAD); seen = here[IMAGE] };
  d_step {
    if
    :: seen ->
      here[IMAGE] = 1;
      leased[IMAGE] = WRITE(1, NO_TOUCH_HEAD, leased[IMAGE]);
      claim[me] = 1
    :: else
    fi;
    CHECK;
    UNLOCK_ALL;
    seen = 0
  };
  goto again;

push:  // PUT of the image or the index, by tag or by digest: ManifestPush
  atomic {
    if
    :: CAN_LOCK_ALL(which, NO_LOCK_PUSH) && tag_lock == FREE -> tagged = 1; tag_lock = _pid
    :: CAN_LOCK_ALL(which, NO_LOCK_PUSH) -> tagged = 0
    fi;
    LOCK_ALL(which, NO_LOCK_PUSH);
    seen = LOOK(which == IMAGE || here[IMAGE], NO_LOOK_PUSH)
  };
  atomic {
    UNTAGGED_FREE ->
    if
    :: !seen -> assert(!claim[me])  // within a lease, the image is never unknown
    :: seen ->
      if
      :: tagged -> candidate[which] = 0
      :: !tagged && !here[which] ->
        candidate[which] = WRITE(WAITING, NO_ADD_PUSHED, candidate[which])
      :: else
      fi;
      candidate[IMAGE] = (which == INDEX -> 0 : candidate[IMAGE]);
      here[which] = 1;
      leased[which] = WRITE(1, NO_TOUCH_PUSH, leased[which]);
      claim[me] = (which == IMAGE -> 1 : claim[me]);
      if
      :: tagged -> SetTag(which)
      :: else
      fi
    fi;
    CHECK;
    UNLOCK_ALL;
    seen = 0; tagged = 0; which = 0
  };
  goto again;

untag:  // DELETE of the tag: RemoveTag. It locks the tag and its candidate, but no manifest.
  atomic { tag_lock == FREE -> tag_lock = _pid };
  d_step {
    UNTAGGED_FREE ->
    if
    :: tag != NONE -> candidate[tag] = WRITE(WAITING, NO_ADD_UNTAGGED, candidate[tag]); tag = NONE
    :: else
    fi;
    UNLOCK_ALL
  };
  goto again;

remove:  // DELETE of the index: ManifestRemoval
  atomic {
    // No switch: what this lock is for is a matter of blobs, see store.pml.
    CAN_LOCK_ALL(INDEX, ALWAYS) && tag_lock == FREE -> tag_lock = _pid;
    LOCK_ALL(INDEX, ALWAYS);
    seen = here[INDEX]
  };
  d_step {
    UNTAGGED_FREE ->
    if
    :: seen ->
      here[INDEX] = 0;
      candidate[INDEX] = 0;
      tag = (tag == INDEX -> NONE : tag);
      candidate[IMAGE] = (here[IMAGE] -> WRITE(WAITING, NO_ADD_CHILD, candidate[IMAGE]) : 0)
    :: else
    fi;
    CHECK;
    UNLOCK_ALL;
    seen = 0; which = 0
  };
  goto again
}

#define REFERRED(which) (tag == which || (which == IMAGE && here[INDEX]))

proctype Collector() {  // ManifestSweep
  byte which;
  bit referred;
  bit waits;

again:
  atomic {
    if
    :: candidate[IMAGE] == DUE -> which = IMAGE
    :: candidate[INDEX] == DUE -> which = INDEX
    fi
  };
  atomic { LOCK_ALL(which, NO_LOCK_SWEEP) };
  atomic {
    LOCK(untagged_lock[which], NO_LOCK_UNTAGGED);
    referred = (SWITCH(NO_LOOK_REFERRED) -> 0 : REFERRED(which));
    waits = (SWITCH(NO_LOOK_CANDIDATE) -> 0 : candidate[which] != DUE) ||
            (SWITCH(NO_LOOK_LEASE) -> 0 : leased[which])
  };
  d_step {
    if
    :: referred -> candidate[which] = 0
    :: !referred && waits ->
      candidate[which] = (candidate[which] == DUE -> WAITING : candidate[which])
    :: !referred && !waits ->
      assert(which != IMAGE || !pulling);
      here[which] = 0;
      leased[which] = 0;
      candidate[which] = 0;
      if
      :: which == INDEX && here[IMAGE] ->
        candidate[IMAGE] = WRITE(WAITING, NO_ADD_SWEPT, candidate[IMAGE])
      :: else
      fi
    fi;
    CHECK;
    UNLOCK_ALL;
    UNLOCK(untagged_lock[which]);
    which = 0; referred = 0; waits = 0
  };
  goto again
}

proctype Clock() {
end:
  do
  :: atomic { leased[IMAGE] && !claim[0] && !claim[1] -> leased[IMAGE] = 0 }
  :: atomic { leased[INDEX] -> leased[INDEX] = 0 }
  :: atomic { claim[0] -> claim[0] = 0 }
  :: atomic { claim[1] -> claim[1] = 0 }
  :: atomic { candidate[IMAGE] == WAITING && !pulling -> candidate[IMAGE] = DUE }
  :: atomic { candidate[INDEX] == WAITING -> candidate[INDEX] = DUE }
  :: atomic { here[IMAGE] && REFERRED(IMAGE) -> pulling = 1 }
  :: atomic { pulling -> pulling = 0 }
  :: atomic {
      Pusher[1]@again && Pusher[2]@again && Collector[3]@again &&
      candidate[IMAGE] == 0 && candidate[INDEX] == 0 ->
      // Everything that nothing refers to is gone.
      assert(!here[IMAGE] || REFERRED(IMAGE));
      assert(!here[INDEX] || REFERRED(INDEX))
    }
  od
}

init {
  atomic {
    run Pusher(0);
    run Pusher(1);
    run Collector();
    run Clock()
  }
}
