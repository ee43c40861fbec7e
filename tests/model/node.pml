// One blob digest at the store and at a node: two pushers who ask the node for the blob (HEAD), the
// collector, the log of changes, and the node's copy with its fetch and its drops. README.md maps
// the steps to functions, and says what each switch takes out.
//
// Each transaction of the store is one step here; store.pml has them in detail. One repository.
//
//   ROUND    the node has the background round that drops copies that nothing links
//   KILL     with ROUND: the node is killed at any step. So each tombstone is lost, and the round
//            alone must do. Without KILL, the tombstones alone must do.
//
// ROUND leaves out leases and manifests, to keep the model small.

#include "switch.inc"

#define OBJECTS 4            // the most objects of the digest at the same time, at each program
#define NO OBJECTS
#define BIT(o) (1 << (o))
#define HAS(set, o) ((set) & BIT(o))

// The store.
byte object = NO;            // blob/<digest>
bit trashed;
bit link;
bit leased;
byte queue;
#define WAITING 1
#define DUE 2
bit manifest;
#ifdef ROUND
#define LEASED 0
#define CONDEMNED DUE
#else
#define LEASED 1
#define CONDEMNED WAITING
#endif
byte disk;
bit claim[2];                // a pusher was told that the blob exists, less than a lease ago
#define USABLE (object != NO && !trashed)

// The log: changes that the node has not applied yet.
#define LINKED 1
#define REMOVED 2            // unlink and tombstone
#define UNLINKED 3           // unlink alone
#ifdef ROUND
#define LAG 2
#else
#define LAG 3                // how many changes the node may be behind
#endif
chan log = [LAG] of { byte };
#define MAY_WRITE (len(log) < LAG)

// The node.
bit replica;                 // the replica's row of the link
bit node_lease;              // the store's answer to a touch promises at least half of a lease
byte copy = NO;              // cached/<digest>: the object
byte node_disk;
byte intents;                // intent/<object> of work in progress
byte dead_intents;           // ... of work that a kill has ended
bit fetching;
byte fetched = NO;           // the node's object of the fetch
byte source = NO;            // the store's object of the fetch
bit discard;                 // the fetch is told not to keep its copy
bit dropping;                // a tombstone waits for the pool
byte dropped[3] = NO;        // the object that a drop removes
#define OF_TOMBSTONE 0
#define OF_FETCH 1
#define OF_ROUND 2

// What a link names is there, at the store; so is the file of a copy, at the node.
#define CHECK \
  assert(!link || (USABLE && HAS(disk, object))); \
  assert(!manifest || link); \
  assert(copy == NO || HAS(node_disk, copy))

#define FRESH(o, used) \
  if \
  :: !used(0) -> o = 0 \
  :: used(0) && !used(1) -> o = 1 \
  :: used(0) && used(1) && !used(2) -> o = 2 \
  :: used(0) && used(1) && used(2) && !used(3) -> o = 3 \
  fi
#define AT_STORE(o) (HAS(disk, o) || object == (o) || source == (o))
#define AT_NODE(o) (HAS(node_disk | intents | dead_intents, o) || copy == (o) || fetched == (o) || \
                    dropped[0] == (o) || dropped[1] == (o) || dropped[2] == (o))

proctype Pusher(byte me) {
  do
#ifndef ROUND
  :: atomic {  // HEAD at the node, which may answer alone: Links::Confirm
      replica && (node_lease || SWITCH(NO_CONFIRM)) -> claim[me] = 1
    }
  :: d_step {  // ... or touches at the store: Blobs::Touch
      link && USABLE && !SWITCH(NO_CONFIRM) ->
      leased = 1;
      claim[me] = 1;
      node_lease = 1
    }
#endif
  :: atomic {  // Blobs::Commit
      MAY_WRITE ->
      if
      :: SWITCH(NO_FRESH_OBJECT) -> object = 0
      :: !SWITCH(NO_FRESH_OBJECT) ->
        if
        :: object != NO -> disk = disk & ~BIT(object)
        :: else
        fi;
        FRESH(object, AT_STORE)
      fi;
      disk = disk | BIT(object);
      trashed = 0;
      if
      :: !link -> link = 1; queue = CONDEMNED; log ! LINKED
      :: else
      fi;
      leased = LEASED;
      claim[me] = LEASED;
      CHECK
    }
#ifndef ROUND
  :: d_step {  // ManifestPush
      if
      :: link && USABLE -> manifest = 1; queue = 0; leased = LEASED; claim[me] = LEASED
      :: else -> assert(!claim[me])
      fi;
      CHECK
    }
  :: d_step { manifest -> manifest = 0; queue = WAITING }  // ManifestRemoval
#endif
  od
}

proctype Collector() {
  byte freed = NO;
again:
  if
  :: d_step {  // LinkSweep
      queue == DUE && leased -> queue = WAITING
    };
    goto again
  :: atomic {
      queue == DUE && !leased && MAY_WRITE ->
      link = 0;
      queue = 0;
      trashed = 1;
      log ! WRITE(REMOVED, NO_TOMBSTONE, UNLINKED);
      CHECK;
      goto again
    }
  :: d_step {  // the trash window has ended
      trashed -> freed = object; object = NO; trashed = 0; CHECK
    }
  fi;
  atomic { disk = disk & ~BIT(freed); freed = NO; CHECK; goto again }
}

#ifdef KILL
#define OR_KILL(objects) \
  :: d_step { \
       dead_intents = dead_intents | (intents & (objects)); intents = intents & ~(objects) \
     }; \
     goto killed
#else
#define OR_KILL(objects)
#endif

// CachedBlobs::Drop: first the row, then the file. `named` is the object that the caller means;
// NO: any.
inline DropRow(me, named) {
  if
  :: copy != NO && LOOK(named == NO || copy == named, NO_LOOK_DROP) ->
    dropped[me] = (named == NO -> copy : named);
    intents = intents | BIT(dropped[me]);
    copy = (SWITCH(NO_ROW_FIRST) -> copy : NO)
  :: else
  fi
}
inline DropFile(me) {
  if
  :: dropped[me] == NO
  :: atomic { dropped[me] != NO -> node_disk = node_disk & ~BIT(dropped[me]); CHECK }
  OR_KILL(BIT(dropped[me]))
  fi;
  d_step {
    intents = (dropped[me] == NO -> intents : intents & ~BIT(dropped[me]));
    dropped[me] = NO
  }
}

proctype Sync() {  // SyncConnection: applies changes, then forwards tombstones
  byte change;
  do
  :: atomic {
      log ? change ->
      if
      :: change == LINKED -> replica = 1
      :: change != LINKED ->
        replica = 0;
        if
        :: change == REMOVED ->
          skip;
#ifndef KILL
          discard = (SWITCH(NO_DISCARD) -> 0 : fetching);
          dropping = 1
#endif
        :: else
        fi
      fi;
      change = 0
    }
  od
}

#ifndef KILL
proctype Dropper() {  // BlobCache::DropTombstoned
again:
  atomic { dropping -> dropping = 0; DropRow(OF_TOMBSTONE, NO) };
  DropFile(OF_TOMBSTONE);
  goto again
}
#endif

proctype Fetch() {
again:
  atomic {  // a GET at the node without a copy; the store's ReadBlob looks up the blob
    copy == NO && link && USABLE -> fetching = 1; source = object
  };
  if
  :: HAS(disk, source) -> skip
  :: d_step {  // Blobs::Open cannot open the object: Blobs::Quarantine
      !HAS(disk, source) ->
      if
      :: LOOK(object == source, NO_LOOK_QUARANTINE) -> object = NO
      :: else
      fi;
      CHECK
    };
    goto killed
  fi;
  atomic { source = NO; FRESH(fetched, AT_NODE); intents = intents | BIT(fetched) };
  if
  :: node_disk = node_disk | BIT(fetched)
  OR_KILL(BIT(fetched))
  fi;
  if
  :: d_step { copy = fetched; intents = intents & ~BIT(fetched); CHECK }  // RecordCopy
  OR_KILL(BIT(fetched))
  fi;
  if
  :: atomic { discard -> DropRow(OF_FETCH, fetched) }; DropFile(OF_FETCH)
  :: !discard
  fi;
killed:
  atomic { fetching = 0; fetched = NO; source = NO; discard = 0; dropped[OF_FETCH] = NO };
  goto again
}

#ifdef ROUND
proctype Round() {
  byte seen = NO;
again:
  if
  :: atomic { copy != NO && !replica && !SWITCH(NO_ROUND) -> seen = copy };  // ContentGarbage
    atomic { DropRow(OF_ROUND, seen); seen = NO };
    DropFile(OF_ROUND)
  :: atomic {  // CachedBlobs settles the intents of an earlier process
      dead_intents != 0 && !SWITCH(NO_SETTLE_NODE) ->
      if
      :: HAS(dead_intents, 0) -> seen = 0
      :: HAS(dead_intents, 1) -> seen = 1
      :: HAS(dead_intents, 2) -> seen = 2
      fi;
      node_disk = (copy == seen -> node_disk : node_disk & ~BIT(seen));
      dead_intents = dead_intents & ~BIT(seen);
      CHECK
    }
  fi;
#ifdef KILL
killed:
#endif
  atomic { dropped[OF_ROUND] = NO; seen = NO };
  goto again
}
#endif

#define NODE_AT_REST \
  (len(log) == 0 && !fetching && !dropping && intents == 0 && dropped[0] == NO && \
   dropped[1] == NO && dropped[2] == NO)
#ifdef ROUND
#define ROUND_AT_REST \
  ((copy == NO || replica || SWITCH(NO_ROUND)) && (dead_intents == 0 || SWITCH(NO_SETTLE_NODE)))
#else
#define ROUND_AT_REST true
#endif

proctype Clock() {
end:
  do
  :: atomic { leased && !claim[0] && !claim[1] && !node_lease -> leased = 0 }
  :: atomic { claim[0] -> claim[0] = 0 }
  :: atomic { claim[1] -> claim[1] = 0 }
  :: atomic { node_lease -> node_lease = 0 }
  :: atomic { queue == WAITING -> queue = DUE }
  :: atomic {
      NODE_AT_REST && ROUND_AT_REST ->
      // The node holds nothing that the store has not, and no file without a row.
      assert(replica == link);
      assert(copy == NO || link);
      assert(node_disk == (copy == NO -> 0 : BIT(copy)))
    }
  od
}

init {
  atomic {
    run Pusher(0);
    run Pusher(1);
    run Collector();
    run Sync();
#ifndef KILL
    run Dropper();
#endif
    run Fetch();
#ifdef ROUND
    run Round();
#endif
    run Clock()
  }
}
