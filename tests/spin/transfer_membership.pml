/* SPDX-License-Identifier: Apache-2.0
 *
 * Hand-over of leadership (3.10) together with changes of one member (4.1): are two leaders of one
 * term, or a leader without a committed entry, possible? Elections, logs and commitment are Raft's;
 * what is left out only delays. A message is read at the moment it arrives: what it says has not
 * changed since it was sent, or an arbitrary prefix is taken where it may have been shorter then.
 * Every entry carries the set of members that it makes active; a no-op repeats the set before it.
 *
 * Seeded bugs, which must be found: EARLY (a change before an entry of the term is committed), TWO
 * (a change while another is not committed).
 */
#ifdef FOUR
#define N 4          /* nodes 0 to 3, of which 0 and 1 may be removed, and messages are whole logs */
#else
#define N 3          /* nodes 0 to 2, of which any may be removed and come back */
#endif
#define TERMS 3      /* highest term; lead() looks two ahead */
#define ENTRIES 4    /* longest log */

#define FOLLOWER 0
#define CANDIDATE 1
#define LEADER 2

#define SIZE(s) (((s) & 1) + (((s) >> 1) & 1) + (((s) >> 2) & 1) + (((s) >> 3) & 1))
#define IS_QUORUM(who, of) (2 * SIZE((who) & (of)) > SIZE(of))
#define HAS(set, x) (((set) >> (x)) & 1)
#define LAST(x) (length[x] - 1)
#define LAST_TERM(x) (log[x].term[LAST(x)])
#define MEMBERS(x) (log[x].members[LAST(x)])
/* Uncommitted, the set before counts too when a node asks whether it may campaign. */
#define MEMBERS_BEFORE(x) (log[x].members[(length[x] > 1 -> length[x] - 2 : 0)])

typedef Log { byte term[ENTRIES]; byte members[ENTRIES] };
typedef Acks { byte length[N] };

Log log[N];
byte length[N];
byte term[N];
byte voted[N];      /* in this term: node + 1, 0 nobody */
byte role[N];
byte votes[N];
byte committed[N];  /* length, of a leader in its term */
byte noop[N];       /* length with its no-op */
Acks acked[N];      /* length that each is known to have */

Log done;           /* what anybody has committed */
byte done_length;
byte leader_of[TERMS + 1];
byte changes_left = 2;
byte transfers_left = 1;

inline new_term(x, t) {
  term[x] = t;
  voted[x] = 0;
  role[x] = FOLLOWER;
  votes[x] = 0;
  committed[x] = 0;
  noop[x] = 0;
  acked[x].length[0] = 0;
  acked[x].length[1] = 0;
  acked[x].length[2] = 0;
#ifdef FOUR
  acked[x].length[3] = 0;
#endif
}

inline stand(x) {
  new_term(x, term[x] + 1);
  role[x] = CANDIDATE;
  voted[x] = x + 1;
  votes[x] = 1 << x;
}

inline add_entry(x, set) {
  log[x].term[length[x]] = term[x];
  log[x].members[length[x]] = set;
  length[x]++;
}

inline lead(x) {
  assert(leader_of[term[x]] == 0);
  leader_of[term[x]] = x + 1;
  k = 0;
  if
  :: (term[x] < TERMS && leader_of[term[x] + 1] != 0) ||
     (term[x] + 1 < TERMS && leader_of[term[x] + 2] != 0) -> skip  /* its last vote came late */
  :: else ->
     assert(length[x] >= done_length);
     do
     :: k < done_length -> assert(log[x].term[k] == done.term[k]); k++
     :: else -> break
     od
  fi;
  role[x] = LEADER;
  votes[x] = 0;
  add_entry(x, MEMBERS(x));
  noop[x] = length[x];
  k = 0;
}

inline ask_vote(x, y) {
  if
  :: term[y] < term[x] -> new_term(y, term[x])
  :: else -> skip
  fi;
  if
  :: term[y] == term[x] && role[y] == FOLLOWER && (voted[y] == 0 || voted[y] == x + 1) &&
     (LAST_TERM(x) > LAST_TERM(y) || (LAST_TERM(x) == LAST_TERM(y) && length[x] >= length[y])) ->
     voted[y] = x + 1;
     votes[x] = votes[x] | (1 << y)
  :: else -> skip
  fi;
  if
  :: IS_QUORUM(votes[x], MEMBERS(x)) && length[x] < ENTRIES -> lead(x)
  :: else -> skip
  fi
}

/* y takes the first `upto` entries of x, and keeps what it has beyond them unless they conflict. */
inline replicate(x, y, upto) {
  if
  :: term[y] < term[x] -> new_term(y, term[x])
  :: term[y] == term[x] && role[y] == CANDIDATE -> role[y] = FOLLOWER; votes[y] = 0
  :: else -> skip
  fi;
  if
  :: term[y] == term[x] ->
     k = 0;
     do
     :: k < upto && k < length[y] && log[y].term[k] == log[x].term[k] -> k++
     :: k < upto && k < length[y] && log[y].term[k] != log[x].term[k] ->
        do
        :: length[y] > k -> length[y]--; log[y].term[length[y]] = 0; log[y].members[length[y]] = 0
        :: else -> break
        od
     :: k < upto && k >= length[y] ->
        log[y].term[k] = log[x].term[k];
        log[y].members[k] = log[x].members[k];
        length[y] = k + 1;
        k++
     :: else -> break
     od;
     if
     :: acked[x].length[y] < upto -> acked[x].length[y] = upto
     :: else -> skip
     fi
  :: else -> skip
  fi;
  k = 0
}

/* The set of those that have `upto` entries; the leader has all of its own. */
#define HAS_ALL(x, y, upto) ((x) == (y) || acked[x].length[y] >= (upto))
#ifdef FOUR
#define HAS_IT_3(x, upto) (HAS_ALL(x, 3, upto) -> 8 : 0)
#else
#define HAS_IT_3(x, upto) 0
#endif
#define HAVE(x, upto) \
  ((HAS_ALL(x, 0, upto) -> 1 : 0) | (HAS_ALL(x, 1, upto) -> 2 : 0) | \
   (HAS_ALL(x, 2, upto) -> 4 : 0) | HAS_IT_3(x, upto))

inline commit(x, upto) {
  committed[x] = upto;
  k = 0;
  do
  :: k < upto && k < done_length -> assert(done.term[k] == log[x].term[k]); k++
  :: k < upto && k >= done_length ->
     done.term[k] = log[x].term[k];
     done.members[k] = log[x].members[k];
     done_length = k + 1;
     k++
  :: else -> break
  od;
  k = 0;
  if
  :: upto == length[x] && !HAS(MEMBERS(x), x) -> role[x] = FOLLOWER  /* removed: steps down */
  :: else -> skip
  fi
}

#ifdef EARLY
#define HAS_COMMITTED(x) true
#else
#define HAS_COMMITTED(x) (committed[x] >= noop[x])
#endif
/* The active set is pending while the last entry that changed it is not committed. */
#ifdef TWO
#define IS_SETTLED(x) true
#else
#define IS_SETTLED(x) \
  (log[x].members[(committed[x] > 0 -> committed[x] - 1 : 0)] == MEMBERS(x) && \
   (committed[x] >= noop[x] || log[x].members[0] == MEMBERS(x)))
#endif
#define MAY_COMMIT(x, upto) (log[x].term[(upto) - 1] == term[x])

#ifdef FOUR
#define MAY_CHANGE(x, y) (y < 2 && HAS(MEMBERS(x), y))
#else
#define MAY_CHANGE(x, y) true
#endif

proctype node(byte i) {
  byte j = 0;
  byte k = 0;
  byte upto = 0;
end:
  do
  /* A timeout. Two may time out; the others only vote: who they are makes no difference. */
  :: atomic { i < 2 && role[i] != LEADER && term[i] < TERMS && length[i] < ENTRIES &&
              (HAS(MEMBERS(i), i) || HAS(MEMBERS_BEFORE(i), i)) -> stand(i) }
  /* A request for a vote arrives, and its answer. */
  :: atomic { role[i] == CANDIDATE ->
              select(j : 0 .. N - 1);
              if
              :: j != i -> ask_vote(i, j)
              :: else -> skip
              fi;
              j = 0; k = 0 }
  /* Entries arrive, and the answer. */
  :: atomic { role[i] == LEADER ->
              select(j : 0 .. N - 1);
#ifdef FOUR
              upto = length[i];
#else
              select(upto : 1 .. ENTRIES);
#endif
              if
              :: j != i && upto <= length[i] && upto > acked[i].length[j] -> replicate(i, j, upto)
              :: else -> skip
              fi;
              j = 0; upto = 0; k = 0 }
  /* A quorum has them. */
  :: atomic { role[i] == LEADER && committed[i] < length[i] ->
              select(upto : 1 .. ENTRIES);
              if
              :: upto <= length[i] && upto > committed[i] && MAY_COMMIT(i, upto) &&
                 IS_QUORUM(HAVE(i, upto), MEMBERS(i)) -> commit(i, upto)
              :: else -> skip
              fi;
              upto = 0; k = 0 }
  /* A change of one member: of any. */
  :: atomic { role[i] == LEADER && changes_left > 0 && length[i] < ENTRIES && HAS_COMMITTED(i) &&
              IS_SETTLED(i) ->
              select(j : 0 .. N - 1);
              if
              :: (MEMBERS(i) ^ (1 << j)) != 0 && MAY_CHANGE(i, j) ->
                 changes_left--;
                 add_entry(i, MEMBERS(i) ^ (1 << j))
              :: else -> skip
              fi;
              j = 0 }
  /* A hand-over: to one that has the whole log, which asks at once. */
  :: atomic { role[i] == LEADER && transfers_left > 0 && term[i] < TERMS ->
              select(j : 0 .. N - 1);
              if
              :: j != i && HAS(MEMBERS(i), j) && acked[i].length[j] == length[i] && length[j] < ENTRIES &&
                 term[j] == term[i] && role[j] == FOLLOWER ->
                 transfers_left--;
                 stand(j)
              :: else -> skip
              fi;
              j = 0 }
  od
}

init {
  byte x = 0;
  byte all = 7;
  atomic {
    if
#ifdef FOUR
    :: all = 15
#else
    :: all = 3  /* node 2 may join */
    :: all = 7
#endif
    fi;
    do
    :: x < N ->
       log[x].members[0] = all;
       length[x] = 1;
       x++
    :: else -> break
    od;
    done.members[0] = all;
    done_length = 1;
    all = 0;
    x = 0;
    run node(0); run node(1); run node(2)
#ifdef FOUR
    ; run node(3)
#endif
  }
}
