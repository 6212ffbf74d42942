"""What moves: the detections of a night linked into tracklets."""
