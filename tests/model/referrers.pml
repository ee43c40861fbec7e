// A subject and its two referrers in one repository. The removal of the subject makes candidates of
// one referrer itself, and of two it leaves a row orphaned/ to the collector, whose pages have one
// referrer.
// A client of the subject, a client of the referrers, the collector of a run that also removes
// untagged manifests, and the clock. README.md maps the steps to functions, and says what each
// switch takes out. manifests.pml has the leases, and what else keeps a manifest.
//
// A transaction has steps as in manifests.pml. All who write the row orphaned/ lock the subject, so
// the lock of the row itself is not modelled.

#include "switch.inc"

#define SUBJECT 2
#define NONE 3

bit here[3];                 // manifest/<repo>\0<digest>; of a referrer also its row referrer/
bit tag;                     // a tag names the referrer `chosen`
byte candidate[2];           // untagged/<repo>\0<digest>; 0: no row
#define WAITING 1            // the grace period runs
#define DUE 2
byte orphaned;               // orphaned/<repo>\0<subject>: its time; 0: no row
byte position;               // ... the first referrer that waits
bit same;                    // the row is still the one that the page was read from
byte manifest_lock[3] = FREE;
byte untagged_lock[2] = FREE;

bit removing;                // between the scan and the commit of the subject's removal
byte chosen;                 // the referrer that clients tag and pull
bit pulling;                 // a client got it by a reference, less than a grace period ago

#define REFERRED(r) ((tag && r == chosen) || here[SUBJECT])
#define IS_KNOWN(r) (!here[r] || REFERRED(r) || candidate[r] != 0 || orphaned != 0)
// The collector knows each manifest that nothing refers to.
#define CHECK assert(IS_KNOWN(0) && IS_KNOWN(1))
#define UNLOCK_ALL \
  UNLOCK(manifest_lock[0]); UNLOCK(manifest_lock[1]); UNLOCK(manifest_lock[SUBJECT]); \
  UNLOCK(untagged_lock[0]); UNLOCK(untagged_lock[1])

proctype SubjectClient() {
  bit seen;
  bit found[2];  // the referrers that the scan has found

again:
  atomic {
    if
    :: !here[SUBJECT] -> goto push
    :: here[SUBJECT] -> goto remove
    fi
  };

push:  // PUT of the subject: ManifestPush. The row orphaned/ stays.
  atomic { LOCK(manifest_lock[SUBJECT], ALWAYS) };
  d_step { here[SUBJECT] = 1; CHECK; UNLOCK_ALL };
  goto again;

remove:  // DELETE of the subject: ManifestRemoval::AddReferrersAsCandidates
  atomic { LOCK(manifest_lock[SUBJECT], ALWAYS); seen = here[SUBJECT] };
  d_step { found[0] = seen && here[0]; found[1] = seen && here[1]; removing = 1 };
  d_step {
    (untagged_lock[0] == FREE || !found[0] || found[1]) &&
    (untagged_lock[1] == FREE || !found[1] || found[0]) ->
    if
    :: found[0] && found[1] ->
      orphaned = WRITE(WAITING, NO_ADD_ORPHANED, orphaned);
      position = 0;
      same = 0
    :: found[0] && !found[1] -> candidate[0] = WRITE(WAITING, NO_ADD_REFERRER, candidate[0])
    :: !found[0] && found[1] -> candidate[1] = WRITE(WAITING, NO_ADD_REFERRER, candidate[1])
    :: else
    fi;
    here[SUBJECT] = 0;
    CHECK;
    UNLOCK_ALL;
    seen = 0; found[0] = 0; found[1] = 0; removing = 0
  };
  goto again
}

proctype ReferrerClient() {
  byte r;
  bit tagged;

again:
  atomic {
    if
    :: r = 0; goto push
    :: r = 1; goto push
    :: r = chosen; tagged = 1; goto push
    :: tag -> goto untag
    :: here[0] -> r = 0; goto remove
    :: here[1] -> r = 1; goto remove
    fi
  };

push:  // PUT of a referrer: ManifestPush. It does not lock the subject, which may be absent.
  atomic { LOCK(manifest_lock[r], ALWAYS) };
  d_step {
    untagged_lock[r] == FREE ->
    if
    :: tagged -> candidate[r] = 0; tag = 1
    :: !tagged && !here[r] -> candidate[r] = WAITING
    :: else
    fi;
    here[r] = 1;
    CHECK;
    UNLOCK_ALL;
    tagged = 0; r = 0
  };
  goto again;

untag:  // DELETE of the tag: RemoveTag. It locks no manifest.
  atomic {
    untagged_lock[chosen] == FREE ->
    if
    :: tag -> candidate[chosen] = WAITING; tag = 0
    :: else
    fi;
    CHECK
  };
  goto again;

remove:  // DELETE of a referrer: ManifestRemoval. It ends the pulls.
  atomic { LOCK(manifest_lock[r], ALWAYS) };
  d_step {
    untagged_lock[r] == FREE ->
    here[r] = 0;
    candidate[r] = 0;
    tag = (r == chosen -> 0 : tag);
    pulling = (r == chosen -> 0 : pulling);
    CHECK;
    UNLOCK_ALL;
    r = 0
  };
  goto again
}

proctype Collector() {  // OrphanSweep and ManifestSweep
  byte r = NONE;    // the referrer; in a page, NONE: the page is empty
  byte since;       // the time of the page
  bit is_same;      // what the transaction finds
  bit returned;
  bit exists;
  bit later;
  bit referred;
  bit waits;

again:
  atomic {
    if
    :: orphaned != 0 ->  // reads a page without locks
      same = 1;
      r = (position == 0 && here[0] -> 0 : (position <= 1 && here[1] -> 1 : NONE));
      goto make
    :: candidate[0] == DUE -> r = 0; goto sweep
    :: candidate[1] == DUE -> r = 1; goto sweep
    fi
  };

make:  // makes a candidate of the referrer in the page: OrphanSweep::Make
  atomic {
    CAN_LOCK(manifest_lock[SUBJECT], NO_LOCK_SUBJECT) &&
    (r == NONE || CAN_LOCK(manifest_lock[r % 2], NO_LOCK_REFERRER)) ->
    LOCK(manifest_lock[SUBJECT], NO_LOCK_SUBJECT);
    if
    :: r != NONE -> LOCK(manifest_lock[r], NO_LOCK_REFERRER)
    :: else
    fi;
    is_same = LOOK(same, NO_LOOK_ROW);
    // The time of a row that is no longer there is due: it is before all that wait.
    since = (same -> orphaned : DUE);
    returned = (SWITCH(NO_LOOK_RETURNED) -> 0 : here[SUBJECT]);
    exists = r != NONE && LOOK(here[r % 2], NO_LOOK_HERE)
  };
  if
  :: atomic {  // AddCandidate
      is_same && !returned && exists && CAN_LOCK(untagged_lock[r % 2], NO_LOCK_CANDIDATE) ->
      LOCK(untagged_lock[r], NO_LOCK_CANDIDATE);
      later = !SWITCH(NO_LOOK_LATER) && candidate[r] != 0 && candidate[r] <= since
    }
  :: !is_same || returned || !exists
  fi;
  d_step {
    if
    :: is_same && (returned || r == NONE) -> orphaned = 0; position = 0
    :: is_same && !returned && r != NONE ->
      if
      :: exists && !later ->
        // It makes no candidate of a manifest that is gone or whose subject is here.
        assert(here[r] && !here[SUBJECT]);
        candidate[r] = since
      :: else
      fi;
      position = r + 1
    :: else
    fi;
    CHECK;
    UNLOCK_ALL;
    r = NONE; same = 0; since = 0; is_same = 0; returned = 0; exists = 0; later = 0
  };
  goto again;

sweep:  // a due candidate: ManifestSweep
  atomic {
    CAN_LOCK(manifest_lock[SUBJECT], NO_LOCK_SWEPT) && manifest_lock[r] == FREE ->
    LOCK(manifest_lock[SUBJECT], NO_LOCK_SWEPT);
    LOCK(manifest_lock[r], ALWAYS)
  };
  atomic {  // IsManifestReferenced
    LOCK(untagged_lock[r], ALWAYS);
    waits = candidate[r] != DUE;
    referred = (tag && r == chosen) || (!SWITCH(NO_LOOK_SUBJECT) && here[SUBJECT])
  };
  // CountOrphaned, after the look at the subject
  atomic { waits = waits || (!SWITCH(NO_LOOK_ORPHANED) && orphaned == WAITING) };
  d_step {
    if
    :: referred || !here[r] -> candidate[r] = 0
    :: !referred && here[r] && !waits ->
      assert(r != chosen || !pulling);
      here[r] = 0;
      candidate[r] = 0
    :: else
    fi;
    CHECK;
    UNLOCK_ALL;
    r = NONE; referred = 0; waits = 0
  };
  goto again
}

// A grace period is longer than the time between a scan and its commit.
#define CAN_END(r) (!removing && !(pulling && chosen == r))
proctype Clock() {
end:
  do
  :: atomic { candidate[0] == WAITING && CAN_END(0) -> candidate[0] = DUE }
  :: atomic { candidate[1] == WAITING && CAN_END(1) -> candidate[1] = DUE }
  :: atomic { orphaned == WAITING && !pulling -> orphaned = DUE }
  :: atomic { here[chosen] && REFERRED(chosen) -> pulling = 1 }
  :: atomic { pulling -> pulling = 0 }
  od
}

init {
  atomic {
    if
    :: chosen = 0
    :: chosen = 1
    fi;
    run SubjectClient();
    run ReferrerClient();
    run Collector();
    run Clock()
  }
}
