// One blob digest at the store: its row, its objects on the disk, its links in two repositories,
// and two manifests that refer to it, one of each pusher. README.md maps the steps to functions,
// and says what each switch takes out.
//
// Two pushers, the collector and the clock run at the same time. Switches that add to the model:
//
//   SAME     both pushers work in repository 0; without it, each has its own
//   CRASH    a pusher's server or the collector ends at any step, as by kill -9
//   UNDO     an administrator, in place of the second pusher, restores content from the trash
//   PULLS    clients pull: what a manifest refers to stays for the grace period
//
// A transaction has two steps. The first locks blob/<digest> and looks, the second writes, commits
// and unlocks. Steps that take no lock can come in between.

#include "switch.inc"

// The most objects of the digest at the same time. With CRASH a push waits while there are three,
// because there are too many states otherwise.
#ifdef CRASH
#define OBJECTS 3
#else
#define OBJECTS 4
#endif
#define NO OBJECTS           // no object

byte lock = FREE;            // the lock of blob/<digest>: the pid of its holder
byte object = NO;            // blob/<digest>: the object; NO: there is no row
bit trashed;                 // blob/<digest>: the state is TRASHED
byte trash_blob = NO;        // trash/<run>\0blob: the object
bit trash_link[2];           // trash/<run>\0link
bit trash_manifest[2];       // trash/<run>\0manifest, of each pusher's manifest

bit link[2];                 // link/<repo>\0<digest>
bit leased[2];               // its lease runs
byte queue[2];               // its row in condemned/; 0: none, the link is not condemned
#define WAITING 1            // the grace period runs
#define DUE 2
bit manifest[2];             // the manifest of each pusher: it refers to the blob

byte disk;                   // the objects on the disk, one bit each
byte intent[OBJECTS + 1];    // intent/<object>; 0: none
#define ALIVE 1              // its owner runs
#define DEAD 2               // its owner has ended

bit claim[2];                // a pusher was told that the blob exists, less than a lease ago
bit pulling[2];              // a client got the manifest, less than a grace period ago
byte home[2];                // the repository of each pusher
byte held[3] = NO;           // the object that a process works on
#define COLLECTOR 2

#define BIT(o) (1 << (o))
#define ON_DISK(o) (disk & BIT(o))
#define USABLE (object != NO && !trashed)
#define UNUSED(o) (!ON_DISK(o) && intent[o] == 0 && object != (o) && trash_blob != (o) && \
                   held[0] != (o) && held[1] != (o) && held[2] != (o))

#define HOME(m, r) (home[m] == (r))
#define CLAIMED(r) ((claim[0] && HOME(0, r)) || (claim[1] && HOME(1, r)))
#define REFERRED(r) ((manifest[0] && HOME(0, r)) || (manifest[1] && HOME(1, r)))

// Nothing that a manifest reaches is missing: its repository links the blob, and what a link names
// is there.
#define CHECK \
  assert((!manifest[0] || link[home[0]]) && (!manifest[1] || link[home[1]])); \
  assert((!link[0] && !link[1]) || (USABLE && ON_DISK(object)))

// A process that ends leaves its intent. (If it ends between "look" and "write", nothing remains.)
#ifdef CRASH
#define OR_CRASH(who) \
  :: atomic { intent[held[who]] = (intent[held[who]] == 0 -> 0 : DEAD); held[who] = NO; goto again }
#else
#define OR_CRASH(who)
#endif

// WriteLink(): adds the link, condemned under a lease, or renews the lease.
inline WriteLink(r, touch) {
  if
  :: !link[r] ->
    link[r] = 1;
    leased[r] = touch;
    queue[r] = (REFERRED(r) || SWITCH(NO_CONDEMN_LINK) -> 0 : WAITING)
  :: else -> leased[r] = leased[r] | touch
  fi
}

// TrashLink(): removes the link, and the blob with its last link.
inline TrashLink(r, last) {
  link[r] = 0;
  leased[r] = 0;
  queue[r] = 0;
#ifdef UNDO
  trash_link[r] = 1;
#endif
  if
  :: last && USABLE -> trashed = 1; trash_blob = object
  :: else
  fi
}

inline Fresh(o) {
  if
  :: SWITCH(NO_FRESH_OBJECT) -> o = 0
  :: UNUSED(0) -> o = 0
  :: !UNUSED(0) && UNUSED(1) -> o = 1
  :: !UNUSED(0) && !UNUSED(1) && UNUSED(2) -> o = 2
  :: !UNUSED(0) && !UNUSED(1) && !UNUSED(2) && UNUSED(OBJECTS - 1) -> o = OBJECTS - 1
  fi
}

#define DONE seen = 0; last = 0; old = NO; m = 0; UNLOCK(lock)
proctype Pusher(byte me; byte r) {
  bit seen;         // the look of the transaction found what it needs
  bit last;         // ... no other repository links the blob, or no other manifest refers to it
  byte old = NO;    // ... the row's object
  byte m;           // the manifest to remove

again:
  atomic {
    if
    :: goto head
    :: goto upload
    :: !link[r] && link[1 - r] -> goto mount     // Links::FindSource
    :: CAN_LOCK(lock, NO_LOCK_PUT) -> goto put
    :: manifest[me] && CAN_LOCK(lock, NO_LOCK_REMOVE) -> m = me; goto remove
    :: manifest[1 - me] && HOME(1 - me, r) && CAN_LOCK(lock, NO_LOCK_REMOVE) ->
      m = 1 - me;
      goto remove
    :: link[r] && !REFERRED(r) && CAN_LOCK(lock, NO_LOCK_UNLINK) -> goto unlink
    fi
  };

head:  // HEAD of a blob by a caller who may push: Blobs::Touch
  atomic {
    if
    :: link[r] && USABLE && (leased[r] || SWITCH(NO_TOUCH_HEAD)) -> claim[me] = 1; goto again
    :: link[r] && USABLE && !leased[r] && !SWITCH(NO_TOUCH_HEAD)
    :: else -> goto again
    fi
  };
  atomic { LOCK(lock, NO_LOCK_HEAD); seen = LOOK(link[r] && USABLE, NO_LOOK_HEAD) };
  d_step {
    if
    :: seen -> link[r] = 1; leased[r] = 1; claim[me] = 1
    :: else
    fi;
    CHECK;
    DONE
  };
  goto again;

mount:  // POST ?mount=: Links::Mount. FindSource has found the link in the other repository.
  atomic { LOCK(lock, NO_LOCK_MOUNT); seen = LOOK(link[1 - r] && USABLE, NO_LOOK_MOUNT) };
  d_step {
    if
    :: seen -> WriteLink(r, !SWITCH(NO_TOUCH_MOUNT)); claim[me] = 1
    :: else
    fi;
    CHECK;
    DONE
  };
  goto again;

upload:  // the last step of an upload: Blobs::Commit. The new object replaces the row's.
  atomic { Fresh(held[me]); intent[held[me]] = !SWITCH(NO_INTENT) };
  if
  :: disk = disk | BIT(held[me])
  OR_CRASH(me)
  fi;
  if
  :: atomic { LOCK(lock, NO_LOCK_COMMIT); old = object }
  OR_CRASH(me)
  fi;
  d_step {
    object = held[me];
    intent[held[me]] = 0;
    trashed = 0;
    trash_blob = NO;
    held[me] = old;
    if
    :: old != NO -> intent[old] = !SWITCH(NO_INTENT_REPLACE)
    :: else
    fi;
    WriteLink(r, !SWITCH(NO_TOUCH_COMMIT));
    claim[me] = 1;
    CHECK;
    DONE
  };
  if
  :: held[me] == NO -> goto again
  :: d_step { held[me] != NO -> disk = disk & ~BIT(held[me]); CHECK }
  OR_CRASH(me)
  fi;
  if
  :: atomic { intent[held[me]] = 0; held[me] = NO; goto again }
  OR_CRASH(me)
  fi;

put:  // PUT of the manifest: ManifestPush
  atomic { LOCK(lock, NO_LOCK_PUT); seen = LOOK(link[r] && USABLE, NO_LOOK_PUT) };
  d_step {
    if
    :: seen ->
      link[r] = 1;
      queue[r] = WRITE(0, NO_ACQUIT, queue[r]);
      leased[r] = leased[r] | !SWITCH(NO_TOUCH_PUT);
      manifest[me] = 1;
      trash_manifest[me] = 0;
      claim[me] = 1
    :: else -> assert(!claim[me])  // within a lease, the blob is never unknown
    fi;
    CHECK;
    DONE
  };
  goto again;

remove:  // DELETE of a manifest of the repository: ManifestRemoval
  atomic {
    LOCK(lock, NO_LOCK_REMOVE);
    seen = manifest[m];
    last = LOOK(!(manifest[1 - m] && HOME(1 - m, r)), NO_LOOK_REFERENCE)
  };
  d_step {
    if
    :: seen ->
      manifest[m] = 0;
#ifdef UNDO
      trash_manifest[m] = 1;
#endif
      if
      :: last -> queue[r] = WRITE(WAITING, NO_CONDEMN_REMOVE, queue[r])
      :: else
      fi
    :: else
    fi;
    CHECK;
    DONE
  };
  goto again;

unlink:  // DELETE of the blob: Links::Remove. It ends what the repository's clients rely on.
  atomic {
    LOCK(lock, NO_LOCK_UNLINK);
    seen = link[r] && LOOK(!REFERRED(r), NO_LOOK_UNLINK);
    last = !link[1 - r]
  };
  d_step {
    if
    :: seen ->
      TrashLink(r, last);
      claim[me] = 0;
      claim[1 - me] = (HOME(1 - me, r) -> 0 : claim[1 - me]);
      pulling[r] = 0
    :: else
    fi;
    CHECK;
    DONE
  };
  goto again
}

#undef DONE
#define DONE seen = 0; last = 0; r = 0; UNLOCK(lock)
#define SETTLES(o) (intent[o] == DEAD || (SWITCH(NO_LOOK_OWNER) && intent[o] == ALIVE))
proctype Collector() {
  byte r;
  bit seen;
  bit last;

again:
  atomic {
    if
    :: queue[0] == DUE -> goto collect
    :: queue[1] == DUE -> r = 1; goto collect
    :: trash_blob != NO -> held[COLLECTOR] = trash_blob; goto purge
    :: SETTLES(0) -> held[COLLECTOR] = 0; goto settle
    :: SETTLES(1) -> held[COLLECTOR] = 1; goto settle
    :: SETTLES(OBJECTS - 1) -> held[COLLECTOR] = OBJECTS - 1; goto settle
#ifdef UNDO
    :: trash_link[0] || trash_link[1] -> trash_link[0] = 0; trash_link[1] = 0; goto again
    :: trash_manifest[0] || trash_manifest[1] ->
      trash_manifest[0] = 0; trash_manifest[1] = 0; goto again
#endif
    fi
  };

collect:  // a due row of the queue
  atomic {
    LOCK(lock, NO_LOCK_COLLECT);
    seen = LOOK(link[r] && queue[r] != 0, NO_LOOK_CONDEMNED) &&
           LOOK(queue[r] != WAITING, NO_LOOK_DUE) && LOOK(!leased[r], NO_LOOK_LEASE);
    last = LOOK(!link[1 - r], NO_LOOK_LAST)
  };
  d_step {
    if
    :: seen -> assert(!pulling[r]); TrashLink(r, last)
    :: !seen && leased[r] && queue[r] == DUE -> queue[r] = WAITING  // postponed
    :: else
    fi;
    CHECK;
    DONE
  };
  goto again;

purge:  // the trash window of a blob has ended
  atomic {
    LOCK(lock, NO_LOCK_PURGE);
    seen = LOOK(trashed && object == held[COLLECTOR], NO_LOOK_PURGE)
  };
  atomic {
    if
    :: seen ->
      object = NO;
      trashed = 0;
      trash_blob = NO;
      intent[held[COLLECTOR]] = !SWITCH(NO_INTENT_PURGE);
      CHECK;
      DONE
    :: else -> held[COLLECTOR] = NO; DONE; goto again
    fi
  };
settle:  // the intent of an owner that has ended: Blobs::SettleIntents
  if
  :: d_step { disk = disk & ~BIT(held[COLLECTOR]); CHECK }
  OR_CRASH(COLLECTOR)
  fi;
  if
  :: atomic { intent[held[COLLECTOR]] = 0; held[COLLECTOR] = NO; goto again }
  OR_CRASH(COLLECTOR)
  fi
}

#ifdef UNDO
#undef DONE
#define DONE seen = 0; r = 0; m = 0; UNLOCK(lock)
proctype Administrator() {
  byte m;
  byte r;
  bit seen;

again:
  atomic {
    if
    :: trash_link[0] -> goto undo_link
    :: trash_link[1] -> r = 1; goto undo_link
    :: trash_manifest[0] -> m = 0; r = home[0]; goto undo_manifest
    :: trash_manifest[1] -> m = 1; r = home[1]; goto undo_manifest
    fi
  };

undo_link:  // Undo::RestoreLinks
  atomic {
    LOCK(lock, NO_LOCK_UNDO_LINK);
    seen = LOOK(trash_link[r] && object != NO, NO_LOOK_UNDO_LINK)
  };
  d_step {
    if
    :: seen -> trashed = 0; trash_blob = NO; WriteLink(r, 1)
    :: else
    fi;
    trash_link[r] = 0;
    CHECK;
    DONE
  };
  goto again;

undo_manifest:  // ManifestRestore: brings back the blob, too
  atomic {
    LOCK(lock, NO_LOCK_UNDO_MANIFEST);
    seen = LOOK(trash_manifest[m] && object != NO, NO_LOOK_UNDO_MANIFEST)
  };
  d_step {
    if
    :: seen ->
      trashed = 0;
      trash_blob = NO;
      link[r] = 1;
      queue[r] = 0;
      leased[r] = 1;
      manifest[m] = 1;
      trash_manifest[m] = 0
    :: else
    fi;
    CHECK;
    DONE
  };
  goto again
}
#endif

// Nothing is in progress, nothing waits for the collector.
#ifdef UNDO
#define OTHER Administrator
#else
#define OTHER Pusher
#endif
#define AT_REST \
  (Pusher[1]@again && OTHER[2]@again && Collector[3]@again && queue[0] == 0 && queue[1] == 0 && \
   trash_blob == NO && intent[0] == 0 && intent[1] == 0 && intent[2] == 0)

proctype Clock() {
end:
  do
  :: atomic { leased[0] && !CLAIMED(0) -> leased[0] = 0 }
  :: atomic { leased[1] && !CLAIMED(1) -> leased[1] = 0 }
  :: atomic { claim[0] -> claim[0] = 0 }
  :: atomic { claim[1] -> claim[1] = 0 }
  :: atomic { queue[0] == WAITING && !pulling[0] -> queue[0] = DUE }
  :: atomic { queue[1] == WAITING && !pulling[1] -> queue[1] = DUE }
#ifdef PULLS
  :: atomic { REFERRED(0) && !pulling[0] -> pulling[0] = 1 }
  :: atomic { REFERRED(1) && !pulling[1] -> pulling[1] = 1 }
  :: atomic { pulling[0] -> pulling[0] = 0 }
  :: atomic { pulling[1] -> pulling[1] = 0 }
#endif
  :: atomic {
      AT_REST ->
      // Everything that no manifest reaches is gone, and the disk has nothing else.
      assert(link[0] == REFERRED(0) && link[1] == REFERRED(1));
      assert((object == NO) == (!link[0] && !link[1]) && !trashed);
      assert(disk == (object == NO -> 0 : BIT(object)))
    }
  od
}

init {
  atomic {
#ifndef SAME
    home[1] = 1;
#endif
    run Pusher(0, home[0]);
#ifdef UNDO
    run Administrator();
#else
    run Pusher(1, home[1]);
#endif
    run Collector();
    run Clock()
  }
}
