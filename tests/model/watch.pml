/* Everyone is told: a session ends, its socket is watched in another process, and the site
   has receivers of `session_ended` of its own.

   FAULTY   the layer may lose the message and forget its members, the registry may fail to
            answer, the process of the login may die; told by the re-check at the latest.
   WORKING  nothing fails, and nobody re-checks; told by the message alone: at once.

   A second transaction may be rolled back: what it would have ended has not ended. */

#define FAULTY 1
#define WORKING 2
#ifndef WORLD
#define WORLD FAULTY
#endif

bool ended;                       /* the row, as committed */
bool announced;                   /* announced_at, as committed */
bool told;                        /* the tab */
bool heard;                       /* the site's receivers */
bool joined;                      /* the watcher's channel, in the group */
bool message;                     /* delivered to the watcher */
bool over;                        /* the login's process is through, or dead */

inline send() {
  atomic {
    if
    :: joined -> message = true
    :: !joined -> skip
#if WORLD == FAULTY
    :: true -> skip               /* lost */
#endif
    fi
  }
}

#if WORLD == FAULTY
#define OR_DIE :: true -> goto died
#else
#define OR_DIE
#endif

active proctype login() {
#ifdef SEND_BEFORE_COMMIT
  send();
#endif
  if
  :: ended = true
  :: goto died                    /* rolled back */
  fi;
#ifdef ANNOUNCE_BEFORE_RECEIVERS
  if :: announced = true OR_DIE fi;
  if :: heard = true OR_DIE fi;
#else
  if :: heard = true OR_DIE fi;
  if :: announced = true OR_DIE fi;
#endif
#ifndef SEND_BEFORE_COMMIT
  send();
#endif
died:
  over = true
}

/* Finishes what a process has left behind: asked again and again. */
active proctype outbox() {
#ifdef NO_SECOND_ANNOUNCEMENT
  skip
#else
end:
  do
  :: atomic { over && ended && !announced } -> heard = true; announced = true
  od
#endif
}

#if WORLD == FAULTY
active proctype layer() {
  if
  :: atomic { joined = false; message = false }     /* Redis is restarted */
  :: skip
  fi
}
#endif

#define TELL atomic { assert(ended); told = true }

/* A look at the registry: an answer, or none. */
inline look() {
  if
  :: ended -> TELL
  :: !ended -> skip
#if WORLD == FAULTY
  :: atomic {
       failures > 0 -> failures--;
#ifdef SILENCE_IS_AN_END
       TELL
#endif
#ifdef FAILURE_STOPS_IT
       stopped = true
#endif
     }
#endif
  fi
}

active proctype watcher() {
  byte failures = 2;
  bool stopped;
#ifdef LOOK_BEFORE_JOIN
  look();
  joined = true;
#else
  joined = true;
  look();
#endif
end:
  do
  :: atomic { told -> break }
  :: atomic { !told && message -> message = false; TELL }
#if WORLD == FAULTY && !defined(NO_RECHECK)
  :: atomic { !told && !stopped -> joined = true }; look()
#endif
  od
}

ltl all_told { [] (ended -> <> told) }
ltl all_heard { [] (ended -> <> heard) }
