//! Only so that the build dependencies have a place.

fn main() {}
