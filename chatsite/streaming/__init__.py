"""The websocket: frames (the wire's schemas), the consumer, one follower task per stream."""
