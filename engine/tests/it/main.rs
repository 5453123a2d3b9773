//! The engine from outside: rules of the house, drivers against each other.

mod changelog;
mod drivers;
mod joins;
mod live;
mod random;
mod sandbox;
mod schedule;
mod sessions;
mod stream;
mod tidy;
mod windows;
