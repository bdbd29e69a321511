/* Locks that are held together: the rows of two users, and the row of a session's data.

   Engine `db` under ATOMIC_REQUESTS, where whatever a view locks stays locked until the
   view is through. Right: nobody waits for ever. */

#define ALICE 0
#define BOB 1

bool user[2];                     /* the lock of the user's row */
bool row;                         /* of the session's row in the engine, alice's */

#define LOCK(x) atomic { !x -> x = true }
#define UNLOCK(x) x = false

/* A view saves its session, and signs in again, or changes the password, or takes a new key. */
active proctype view() {
  LOCK(row);
  LOCK(user[ALICE]);
  atomic { UNLOCK(user[ALICE]); UNLOCK(row) }
}

/* Another login, or a rotation in another tab, or end_all(): the data is to be forgotten. */
active [2] proctype change() {
  LOCK(user[ALICE]);
#ifdef WAITS_FOR_ROW
  LOCK(row); UNLOCK(row);
#else
  if
  :: atomic { !row -> row = true }; UNLOCK(row)
  :: atomic { row -> skip }       /* SKIP LOCKED: the outbox, or nobody, forgets it later */
  fi;
#endif
  UNLOCK(user[ALICE])
}

/* A session from before the installation is saved in one view, beside the other view. */
active proctype save() {
#ifdef SAVE_TAKES_LOCK
  LOCK(user[ALICE]);
  LOCK(row);
  atomic { UNLOCK(row); UNLOCK(user[ALICE]) }
#else
  LOCK(row);
  UNLOCK(row)
#endif
}

/* alice becomes bob in one browser, and bob alice in another: the old user's session ends. */
inline switch(from, to) {
  LOCK(user[to]);
#ifdef BOTH_USERS
  LOCK(user[from]);
  atomic { UNLOCK(user[to]); UNLOCK(user[from]) }
#else
  UNLOCK(user[to]);               /* the login has committed */
  LOCK(user[from]);
  UNLOCK(user[from])
#endif
}
active proctype to_bob() { switch(ALICE, BOB) }
active proctype to_alice() { switch(BOB, ALICE) }

/* A command ends the sessions of many users, some in each transaction. */
active proctype command() {
#ifdef ANY_ORDER
  if
  :: LOCK(user[ALICE]); LOCK(user[BOB])
  :: LOCK(user[BOB]); LOCK(user[ALICE])
  fi;
#else
  LOCK(user[ALICE]); LOCK(user[BOB]);
#endif
  atomic { UNLOCK(user[ALICE]); UNLOCK(user[BOB]) }
}
active proctype other_command() { 
  LOCK(user[ALICE]); LOCK(user[BOB]);
  atomic { UNLOCK(user[ALICE]); UNLOCK(user[BOB]) }
}
