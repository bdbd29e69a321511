/* The gate: registry and session engine, one user and one slot.

   N requests of three browsers run beside each other, each step of one between any two
   steps of the others, and a process may be killed at each step. A request picks its
   browser and what it does when it starts, so that all orders are tried, one after the
   other as well. The monitor holds the invariants in every state.

   ENGINE   SHARED: data and registry change in one transaction (`db`)
            CACHE:  data in a cache, with fingerprints and marks (`cache`, `cached_db`)
            ASKS:   data elsewhere, the registry is asked at each load (`file`)
   ON_LIMIT END_OLDEST or REFUSE
   N        requests; LIMIT live sessions; KILLS processes that die on their way

   tests/model/mutants.py lists what to take out by -D, and what goes wrong then. */

#define SHARED 1
#define CACHE 2
#define ASKS 3
#define END_OLDEST 1
#define REFUSE 2

#ifndef ENGINE
#define ENGINE SHARED
#endif
#ifndef ON_LIMIT
#define ON_LIMIT END_OLDEST
#endif
#ifndef N
#define N 3
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef KILLS
#define KILLS 1
#endif

#define BROWSERS 3
#define SIZE (N + 3)              /* ids and keys count from 1: two at the start, one for each request */

mtype = { LIVE, ENDED };
#define NONE 0
mtype = { PAGE, SAVE, ROTATE, LOGIN, LOGOUT, PASSWORD, END_ALL, REMOVE, RECHECK };

/* The registry, as committed. The id orders the logins (`serial`). */
mtype state[SIZE];
byte current[SIZE];               /* the key that opens it (`key_digest`) */
byte left[SIZE];                  /* the key before (`left_digest`) */
bool owed[SIZE];                  /* the outbox: ended, and the engine may still hold its data */
bool locked;                      /* the user's row */
bool password;                    /* the user's password has been changed */

/* The engine: what it holds under each key. */
#define NOTHING 0
#define RELIC 15                  /* signed-in data from before the installation: it has no id */
byte data[SIZE];                  /* the id in the data */
bool stamp[SIZE];                 /* it carries the fingerprint of this key */
bool changed[SIZE];               /* its password hash is the new one */
bool mark[SIZE];
bool writing[SIZE];               /* SHARED: an update that isn't committed holds this row */

/* The browsers. */
byte cookie[BROWSERS];
byte browsers;                    /* that have made a request, or had a session */

/* What only the monitor knows. */
bool sent[SIZE];                  /* an answer carried this key */
bool removed[SIZE];               /* somebody deleted the session's data, past the gate */
bool changing[SIZE];              /* its request has changed the password, and is not through yet */
bool back[SIZE];                  /* a late save has brought data back under this key */
bool relic_is_over;               /* the session from before was adopted, signed out or replaced */

byte last_key, last_id, started;
byte busy;                        /* the requests that are running */
byte kills = KILLS;

/* --- What a load decides ---------------------------------------------------------------- */

#if N == 2
#define SOME(p, k) (p(1, k) || p(2, k) || p(3, k) || p(4, k))
#define EVERY(p) (p(1) && p(2) && p(3) && p(4))
#elif N == 3
#define SOME(p, k) (p(1, k) || p(2, k) || p(3, k) || p(4, k) || p(5, k))
#define EVERY(p) (p(1) && p(2) && p(3) && p(4) && p(5))
#else
#define SOME(p, k) (p(1, k) || p(2, k) || p(3, k) || p(4, k) || p(5, k) || p(6, k))
#define EVERY(p) (p(1) && p(2) && p(3) && p(4) && p(5) && p(6))
#endif

#define IS_CURRENT(s, k) (state[s] == LIVE && current[s] == (k))

/* The id of a session from before is derived from its key: whoever comes with that key
   knows which row it would be, however often the key has changed since. */
#if defined(RELICS_BY_KEY)
#define KNOWS(s, k) (state[s] != NONE && (current[s] == (k) || left[s] == (k)))
#define RELIC_IS_KNOWN(k) SOME(KNOWS, k)
#elif defined(ADOPTS_THE_ENDED)
#define RELIC_IS_KNOWN(k) (state[1] == LIVE)
#else
#define RELIC_IS_KNOWN(k) (state[1] != NONE)
#endif

/* The registry's answer about data with an id, and about data without. */
#ifdef BY_ID_ONLY
#define REGISTRY_OPENS(id, k) (id != RELIC && state[id] == LIVE)
#else
#define REGISTRY_OPENS(id, k) (id != RELIC && IS_CURRENT(id, k))
#endif
#define ADOPTABLE(id, k) (id == RELIC && !RELIC_IS_KNOWN(k))

#if ENGINE == CACHE
#ifdef NO_MARKS
#define TRUSTED(k) (data[k] != RELIC && stamp[k])
#else
#define TRUSTED(k) (data[k] != RELIC && stamp[k] && !mark[k])
#endif
#else
#define TRUSTED(k) false
#endif

#define ASK(id, k) (ADOPTABLE(id, k) || REGISTRY_OPENS(id, k) \
    || (id == RELIC && IS_CURRENT(1, k)))
#define OPENS(k) (data[k] != NOTHING && (TRUSTED(k) || ASK(data[k], k)))

/* --- The invariants ---------------------------------------------------------------------- */

/* 2: whatever opens is the current key of a live session, or was never known to us. */
#define RIGHTLY(k) (!OPENS(k) || SOME(IS_CURRENT, k) || ((k) == 1 && !relic_is_over))
/* 2: on SHARED, what was deleted past the gate stays deleted. */
#define STAYS_REMOVED(s) (ENGINE != SHARED || state[s] != LIVE || !removed[s] || !OPENS(current[s]))
/* 6: a live session opens with its current key, at any moment. */
#define HELD(s) (state[s] != LIVE || removed[s] || OPENS(current[s]))
/* 3: what an ended session has left in the engine is in the outbox. */
#define REMEMBERED(s) (state[s] != ENDED || owed[s] || back[current[s]] || data[current[s]] != s)
/* 6: whoever lives at the end has the key, and its data has the right password. */
#define IN_USE(s) (state[s] != LIVE || removed[s] \
    || (sent[current[s]] && changed[current[s]] == password))

#define COUNT(s) (state[s] == LIVE)
#if N == 2
#define ALIVE (COUNT(1) + COUNT(2) + COUNT(3) + COUNT(4))
#elif N == 3
#define ALIVE (COUNT(1) + COUNT(2) + COUNT(3) + COUNT(4) + COUNT(5))
#else
#define ALIVE (COUNT(1) + COUNT(2) + COUNT(3) + COUNT(4) + COUNT(5) + COUNT(6))
#endif

active proctype monitor() {
end:
  if
  :: atomic { ALIVE > LIMIT -> assert(false) }
  :: atomic { !EVERY(RIGHTLY) -> assert(false) }
  :: atomic { !EVERY(STAYS_REMOVED) -> assert(false) }
  :: atomic { !EVERY(HELD) -> assert(false) }
  :: atomic { !EVERY(REMEMBERED) -> assert(false) }
  :: atomic { started == N && busy == 0 && kills == KILLS && !EVERY(IN_USE) -> assert(false) }
  fi
}

/* --- Steps -------------------------------------------------------------------------------- */

/* An `else` right after `::` would also stand against this: a `skip` keeps them apart.
   Killed before it has changed anything, a request is one that never was. */
#define killed d_step { kills > 0 -> kills--; printf("%d: killed\n", number) }; goto over
#define HAS(set, s) ((set) & (1 << (s)))
#define ADD(set, s) set = set | (1 << (s))
#define FOR_EACH_ROW i = 1; do :: i < SIZE ->
#define END_FOR i++ :: else -> break od; i = 0
#define ROTATES (new_key != 0 && new_id == id)

#ifdef NO_LOCK
#define TAKE_LOCK mine = true
#else
#define TAKE_LOCK !locked -> locked = true; mine = true
#endif
#define GIVE_LOCK locked = locked && !mine; mine = false

inline choose_all_but(s) {
  d_step {
    FOR_EACH_ROW
      if :: state[i] == LIVE && i != s -> ADD(victims, i) :: else fi;
    END_FOR
  }
}

/* Whoever came with a session from before finds the row that it has got meanwhile. */
inline find_row() {
  if
  :: id == RELIC && RELIC_IS_KNOWN(key) -> id = 1
  :: else
  fi
}

/* What the browser leaves behind: by the id in its session, and by the key it came with. */
#ifdef IGNORES_LEFT_KEY
#define IS_OWN(s) (i == id || current[s] == key)
#else
#define IS_OWN(s) (i == id || current[s] == key || left[s] == key)
#endif
inline choose_own() {
  d_step {
#ifndef LEAVES_RELICS
    if :: id == RELIC -> ADD(victims, 1) :: else fi;
#endif
    FOR_EACH_ROW
      if :: key != 0 && state[i] == LIVE && IS_OWN(i) -> ADD(victims, i) :: else fi;
    END_FOR
  }
}

/* The oldest ones, until there is a place. */
inline choose_over_limit() {
  d_step {
    count = 0;
    FOR_EACH_ROW
      if :: state[i] == LIVE && !HAS(victims, i) -> count++ :: else fi;
    END_FOR;
    FOR_EACH_ROW
      if
      :: count >= LIMIT && state[i] == LIVE && !HAS(victims, i) -> ADD(victims, i); count--
      :: else
      fi;
    END_FOR;
    count = 0
  }
}

/* `refuse`: those in the way are asked of the engine; what it has forgotten gives way. */
#if defined(REFUSE_TRUSTS_ROWS)
#define HOLDS_PLACE(s) true
#elif defined(REFUSE_ASKS_PASSWORD)
#define HOLDS_PLACE(s) (data[current[s]] != NOTHING && changed[current[s]] == password)
#else
#define HOLDS_PLACE(s) (data[current[s]] != NOTHING)
#endif
inline choose_forgotten() {
  d_step {
    count = 0;
    FOR_EACH_ROW
      if
      :: state[i] == LIVE && !HAS(victims, i) && HOLDS_PLACE(i) ->
         count++;
         assert(ENGINE != SHARED || !removed[i]);     /* nothing that is gone is in the way */
         assert(key == 0 || left[i] != key)            /* nor is its own session */
      :: state[i] == LIVE && !HAS(victims, i) && !HOLDS_PLACE(i) -> ADD(forgotten, i)
      :: else
      fi;
    END_FOR;
    refused = (count >= LIMIT);
    if :: refused -> victims = 0; forgotten = 0 :: else -> victims = victims | forgotten fi;
    count = 0
  }
}

inline decide_login() {
  if
#ifndef ANY_PASSWORD
  :: hash != password -> GIVE_LOCK; goto dropped
#endif
  :: else
  fi;
  find_row();
  choose_own();
#if ON_LIMIT == REFUSE
  choose_forgotten();
  if
  :: refused -> GIVE_LOCK; goto dropped
  :: else
  fi;
#else
  choose_over_limit();
#endif
  last_key++; last_id++; new_key = last_key; new_id = last_id
}

inline decide_logout() {
  find_row();
  if
  :: id == RELIC -> ADD(victims, 1)
#ifdef LOGOUT_BY_KEY
  :: id != RELIC && IS_CURRENT(id, key) -> ADD(victims, id)
#else
  :: id != RELIC && state[id] == LIVE -> ADD(victims, id)
#endif
  :: else
  fi
}

/* The user's row, with the new password: all others end. */
inline decide_password() {
  if
  :: password -> GIVE_LOCK; goto answered
  :: else -> choose_all_but(id)
  fi
}

/* Who changes the password doesn't take over another's key, but changes it once more. */
#ifdef PASSWORD_TAKES_OVER
#define OVERTAKEN true
#else
#define OVERTAKEN (deed == ROTATE)
#endif
#ifdef ROTATION_RECREATES
#define RECREATES true
#else
#define RECREATES false
#endif
inline decide_rotation() {
  if
  :: state[id] != LIVE -> GIVE_LOCK; goto dropped
  :: state[id] == LIVE && current[id] != key && OVERTAKEN ->
     key = current[id];
#ifndef KEEPS_OWN_DATA
     hash = changed[key];
#endif
     GIVE_LOCK; goto rotated
  :: else -> key = current[id]
  fi;
  if
  :: data[key] == NOTHING && !RECREATES -> GIVE_LOCK; goto dropped
  :: else
  fi;
  last_key++; new_key = last_key; new_id = id
}
inline mark_victims() {
  d_step {
    printf("%d: marks\n", number);
    FOR_EACH_ROW
      if :: HAS(victims, i) && state[i] != NONE -> mark[current[i]] = true :: else fi;
    END_FOR;
    if :: ROTATES -> mark[key] = true :: else fi
  }
}

/* New data. Until the commit, its fingerprint is of no key that the registry knows. */
inline store() {
  d_step {
    skip;
    if
    :: new_key != 0 ->
       printf("%d: stores session %d under key %d\n", number, new_id, new_key);
       data[new_key] = new_id; changed[new_key] = hash;
#ifdef STAMP_BEFORE_COMMIT
       stamp[new_key] = true
#endif
    :: else
    fi
  }
}

inline put_stamp() {
  d_step {
    skip;
    if
    :: new_key != 0 ->
       printf("%d: stamps key %d\n", number, new_key);
       data[new_key] = new_id; changed[new_key] = hash; stamp[new_key] = true;
       if :: !IS_CURRENT(new_id, new_key) -> back[new_key] = true :: else fi
    :: else
    fi
  }
}

/* The rows of those that end. Each end is checked here. */
inline end_victims() {
  FOR_EACH_ROW
    if
    :: HAS(victims, i) ->
       assert(!HAS(forgotten, i) || removed[i]);  /* 9: no false end */
       assert(by == 0 || by > i);                     /* superseded by newer logins only */
       if :: state[i] == NONE -> current[i] = key; relic_is_over = true :: else fi;
       state[i] = ENDED; printf("   session %d has ended\n", i);
#ifndef NO_OUTBOX
       owed[i] = true
#endif
    :: else
    fi;
  END_FOR
}

inline commit() {
  d_step {
    printf("%d: commits\n", number);
    if
    :: deed == PASSWORD && new_key == 0 -> password = true; changing[id] = true
    :: else
    fi;
    relic_is_over = relic_is_over || (deed == LOGIN && id == RELIC);
    by = (deed == LOGIN -> new_id : 0);
    end_victims();
    by = 0;
    if
    :: ROTATES -> left[id] = key; current[id] = new_key
    :: new_key != 0 && !ROTATES -> state[new_id] = LIVE; current[new_id] = new_key
    :: else
    fi
  }
}

/* What the engine holds of them. On SHARED, a row that somebody is writing to stays. */
inline forget() {
  d_step {
    printf("%d: forgets\n", number);
    FOR_EACH_ROW
      if
      :: HAS(victims, i) && !writing[current[i]] ->
         data[current[i]] = NOTHING; stamp[current[i]] = false; owed[i] = false
      :: else
      fi;
    END_FOR;
    if
    :: ROTATES && !writing[key] -> data[key] = NOTHING; stamp[key] = false
    :: else
    fi
  }
}

/* SHARED: the update has the current key among its conditions. */
#ifdef SAVE_UNCONDITIONAL
#define MAY_UPDATE true
#else
#define MAY_UPDATE (IS_CURRENT((id == RELIC -> 1 : id), key) || ADOPTABLE(id, key))
#endif

/* --- A request, from its load to its answer --------------------------------------------- */

inline choose_live() {
  if
  :: state[1] == LIVE -> id = 1
  :: state[2] == LIVE -> id = 2
  :: state[3] == LIVE -> id = 3
  :: state[1] != LIVE && state[2] != LIVE && state[3] != LIVE -> id = 0
  fi
}

/* A browser that nothing is known of yet is like any other such browser. */
inline choose_browser() {
  if
  :: browser = 0
  :: browsers > 0 -> browser = 1
  :: browsers > 1 -> browser = 2
  fi;
  if :: browser == browsers -> browsers++ :: else fi
}

proctype request(byte number) {
  mtype deed;
  byte browser, key, id;          /* what it came with, and what its load found */
  byte new_key, new_id, victims, forgotten;
  bool hash, mine, refused, held;
  byte i, count, by;

  /* It starts: the load reads data and mark at once, and on SHARED the registry with them. */
  atomic {
    started == number ->
    started++; ADD(busy, number);
    choose_browser();
    key = cookie[browser];
    if
    :: deed = LOGIN
    :: key != 0 -> deed = SAVE
    :: key != 0 -> deed = ROTATE
    :: key != 0 -> deed = LOGOUT
    :: key != 0 -> deed = PASSWORD
    :: key != 0 && data[key] == RELIC -> deed = PAGE
    :: browser == 0 && ALIVE > 0 -> deed = END_ALL; key = 0
    :: browser == 0 && ALIVE > 0 -> deed = REMOVE; key = 0
    :: browser == 0 && ALIVE > 0 -> deed = RECHECK; key = 0
    fi;
    id = data[key];
    hash = changed[key];
    printf("%d: %e in browser %d, with key %d of session %d\n", number, deed, browser, key, id);
    if
    :: deed == END_ALL -> goto change
    :: deed == REMOVE -> goto remove
    :: deed == RECHECK -> goto recheck
    :: key == 0 || id == NOTHING -> goto anonymous
    :: else
    fi;
#if ENGINE == SHARED
    if
    :: OPENS(key) -> goto signed_in
    :: else -> goto anonymous
    fi
#else
    if
    :: TRUSTED(key) -> goto signed_in
    :: else
    fi
#endif
  };

  /* The registry is asked, where the load alone doesn't suffice. */
  atomic {
    if
    :: ASK(id, key) -> goto signed_in
    :: else -> goto anonymous
    fi
  };

  /* get_user() compares the password's hash. What it flushes ends nothing. */
signed_in:
  skip;
  atomic {
    if
    :: hash != password -> goto mismatch
    :: else
    fi;
    if
    :: deed == LOGIN -> hash = password; goto change          /* its credentials are right */
    :: deed == LOGOUT -> goto change
    :: deed == SAVE -> goto save                  /* without the lock, adopted or not */
    :: deed != LOGIN && deed != LOGOUT && deed != SAVE && id == RELIC -> goto adopt
    :: deed == PAGE && id != RELIC -> goto answered
    :: (deed == ROTATE || deed == PASSWORD) && id != RELIC -> goto change
    fi
  };
mismatch:
  atomic {
#ifdef FLUSH_FORGETS
    data[key] = NOTHING; stamp[key] = false;
#endif
    skip
  };
anonymous:
  atomic {
    id = NOTHING;
    if
    :: deed == LOGIN -> hash = password; goto change          /* its credentials are right */
    :: else -> goto dropped
    fi
  };

  /* Adoption: a row for what was signed in before the installation. */
adopt:
  skip;
  atomic {
    TAKE_LOCK;
    find_row();
    if
    :: id == 1 && state[1] == LIVE -> GIVE_LOCK; goto adopted  /* by another request */
    :: id == 1 && state[1] != LIVE -> GIVE_LOCK; goto dropped
#ifndef ADOPTS_ANY_PASSWORD
    :: id == RELIC && hash != password -> GIVE_LOCK; goto dropped
#endif
    :: else
    fi;
    printf("%d: locks, and decides on the adoption\n", number);
#if defined(ADOPT_AS_LOGIN)
    choose_over_limit()
#elif defined(ADOPT_OVER_LIMIT)
    skip
#else
    refused = (ALIVE >= LIMIT)
#endif
  };
  if
  :: killed
  :: atomic {
       skip;
       printf("%d: adopts, or gives way\n", number);
#ifdef ADOPT_AS_LOGIN
       by = 1; end_victims(); by = 0; victims = 0;
#endif
       current[1] = key; relic_is_over = true;
       if
       :: refused -> state[1] = ENDED; owed[1] = true
       :: else -> state[1] = LIVE; id = 1
       fi;
#if ENGINE == SHARED
       if
       :: refused -> data[key] = NOTHING; owed[1] = false
       :: else -> data[key] = 1
       fi;
#endif
       GIVE_LOCK;
       if
       :: refused -> goto dropped
       :: else
       fi
     }
  fi;
adopted:
  atomic {
    if
    :: deed == PAGE && ENGINE == SHARED -> goto answered
    :: deed == PAGE && ENGINE != SHARED -> goto save     /* takes the id along */
    :: else -> goto change
    fi
  };

  /* A change of keys or rows: under the lock. What is written to the engine before the
     commit is one step: nobody trusts a mark or data without a fingerprint. */
change:
  skip;
  atomic {
    TAKE_LOCK;
    if
    :: deed == LOGIN -> decide_login()
    :: deed == LOGOUT -> decide_logout()
    :: deed == END_ALL -> choose_all_but(0)
    :: deed == PASSWORD && !hash -> decide_password()
    :: else -> decide_rotation()
    fi;
    printf("%d: %e decides, and prepares key %d\n", number, deed, new_key);
#if ENGINE == CACHE && !defined(MARK_AFTER_COMMIT)
    mark_victims();
#endif
#if ENGINE != SHARED && !defined(DATA_AFTER_COMMIT)
    store();
#endif
#ifdef FORGET_BEFORE_COMMIT
    forget()
#else
    skip
#endif
  };
  if
  :: killed
  :: atomic {
       skip;
#if ENGINE == SHARED
       if
       :: ROTATES && data[key] == NOTHING && !RECREATES -> GIVE_LOCK; goto dropped
       :: else
       fi;
#endif
       commit();
#if ENGINE == SHARED
       store();
       forget();
#endif
       GIVE_LOCK
     }
  fi;
#if ENGINE != SHARED
  if
  :: killed
  :: atomic {
       skip;
#ifdef MARK_AFTER_COMMIT
       mark_victims();
#endif
       put_stamp();
       forget()
     }
  fi;
#endif
  atomic {
    victims = 0; forgotten = 0;
    if
    :: deed == PASSWORD && new_key == 0 -> hash = true; goto change
    :: deed == LOGOUT ->
       assert(state[(id == RELIC -> 1 : id)] != LIVE);       /* signed out is signed out */
       cookie[browser] = 0; goto answered
    :: new_key != 0 -> key = new_key; id = new_id
    :: else -> goto answered
    fi
  };
rotated:
  skip;
  if
  :: killed
  :: atomic {
       skip;
       printf("%d: answers with key %d\n", number, key);
       cookie[browser] = key; sent[key] = true;
       if
       :: goto answered
       :: deed == ROTATE -> deed = SAVE; goto save
       fi
     }
  fi;

  /* A save, as late as may be. */
save:
  skip;
#if ENGINE == SHARED
  atomic {
    !writing[key] ->
    if
    :: data[key] != NOTHING && MAY_UPDATE ->
       assert(SOME(IS_CURRENT, key) || ADOPTABLE(id, key));  /* the answer sets this cookie */
       writing[key] = true; held = true
    :: else -> goto dropped
    fi
  };
  if
  :: killed
  :: atomic {
       skip;
       printf("%d: saves session %d under key %d\n", number, id, key);
       data[key] = id; changed[key] = hash;
       writing[key] = false; held = false
     }
  fi;
#else
  atomic {
    if
    :: data[key] == NOTHING -> goto dropped
    :: else
    fi
  };
  atomic {
    printf("%d: saves session %d under key %d\n", number, id, key);
    data[key] = id; changed[key] = hash; stamp[key] = (id != RELIC);
    if
    :: id == RELIC || !IS_CURRENT(id, key) -> back[key] = true
    :: else
    fi
  };
#endif
  atomic { cookie[browser] = key; goto answered };

  /* Somebody deletes a session past the gate, from the engine. */
remove:
  skip;
  atomic {
    choose_live();
    if
    :: id == 0 -> goto answered
    :: else
    fi;
    !writing[current[id]];
    printf("%d: session %d is removed\n", number, id);
    data[current[id]] = NOTHING; stamp[current[id]] = false; removed[id] = true;
    goto answered
  };

  /* The re-check: missing twice under the same key, the second time under the lock, and so
     much later that whoever was at work at the first look has finished. */
recheck:
  skip;
  atomic {
    choose_live();
    key = current[id]
  };
  atomic {
    if
    :: id == 0 || data[key] != NOTHING -> goto answered
    :: else -> victims = busy & ~(1 << number)
    fi
  };
#ifndef LOOKS_ONCE
  atomic { busy = busy & ~(1 << number); (busy & victims) == 0 -> victims = 0 };
#endif
  atomic {
    TAKE_LOCK;
    if
#ifdef LOOKS_ONCE
    :: state[id] == LIVE ->
#else
    :: state[id] == LIVE && current[id] == key && data[key] == NOTHING ->
#endif
       printf("%d: ends session %d as removed\n", number, id);
       assert(removed[id] && !changing[id]);                   /* 9: no false end */
       state[id] = ENDED
    :: else
    fi
  };
  goto answered;

  /* Where a load was refused or a save dropped, the answer leaves the cookie alone. */
dropped:
#ifdef DROPPED_DELETES_COOKIE
  atomic { assert(!SOME(IS_CURRENT, cookie[browser])); cookie[browser] = 0 };
#endif
answered:
over:
  atomic {
    GIVE_LOCK;
    if :: deed == PASSWORD && id != RELIC -> changing[id] = false :: else fi;
    if :: held -> writing[key] = false :: else fi;
    busy = busy & ~(1 << number);
    deed = 0; browser = 0; key = 0; id = 0; new_key = 0; new_id = 0;
    victims = 0; forgotten = 0; hash = false; refused = false; held = false
  }
}

init {
  byte i;
  atomic {
    last_key = 2; last_id = 2;
    if
    :: skip
    :: data[1] = 1; state[1] = LIVE; current[1] = 1
    :: data[1] = RELIC
    :: data[1] = RELIC; data[2] = 2; state[2] = LIVE; current[2] = 2
#if LIMIT > 1
    :: data[1] = 1; state[1] = LIVE; current[1] = 1; data[2] = 2; state[2] = LIVE; current[2] = 2
#endif
    fi;
    if :: data[1] != NOTHING -> cookie[0] = 1; sent[1] = true; browsers = 1 :: else fi;
    relic_is_over = (data[1] != RELIC);
    if :: data[2] != NOTHING -> cookie[1] = 2; sent[2] = true; browsers = 2 :: else fi;
    stamp[1] = (state[1] == LIVE); stamp[2] = (state[2] == LIVE);
    do
    :: i < N -> run request(i); i++
    :: else -> break
    od;
    i = 0
  }
}
