"""The acts: one file per act. May import `ports`, `protocol`, `credentials`, `watch` and `browser`."""
