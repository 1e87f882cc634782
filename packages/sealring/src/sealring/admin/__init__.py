"""The operator's acts, on the control socket. May import `services`, `browser` and `protocol`; never storage."""
