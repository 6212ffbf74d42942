"""What keeps a survey alive for years: disks that are watched, files that leave the depot, tables that are kept trim."""
