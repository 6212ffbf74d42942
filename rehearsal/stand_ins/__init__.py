"""Stand-ins for services that a site runs: a broker, a mail relay, and a consumer of the alerts."""
