"""Telling people: one place decides who hears of what, how and when, and whether it reached them.

Programs write events into the ledger and know nothing of people. A process of its own (`messenger`) reads the events
that nobody has read yet, finds who is to hear of them (`listeners`), keeps what belongs together as one trouble
(`troubles`), puts what came together into one message (`grouping`, `wording`), and delivers it until it was taken
(`delivering`, `channels`). It lives beside Airflow and not in it, and where the ledger itself does not answer it
tells that too (`silent_ledger`). While a night is open it sends a sign of life to something off the machine
(`heartbeat`), which tells people when that stops: `receiver` is a small one that ships.
"""
