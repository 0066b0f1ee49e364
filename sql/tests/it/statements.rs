//! What statements mean, and what is refused.
