"""The end of a night: accounts that close to zero, an archive that was read back, and the morning's mail.

The steps in their order: `begin_closing`, wait until `may_close` (past its deadline `fail_stragglers`), `account`,
`archive`, `verify`, `send_report`, `close`. Each may run again.
"""
