"""What plays a night and does not run one: a simulated sky, faults, stand-ins for services, and the score."""
