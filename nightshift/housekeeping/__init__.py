"""What keeps a survey alive for years: disks are watched, old files leave the depot, tables are kept trim."""
