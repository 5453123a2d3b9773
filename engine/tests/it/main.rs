//! The engine from outside: rules of the house, drivers against each other.

mod changelog;
mod drivers;
mod joins;
mod live;
mod over;
mod random;
mod rank;
mod sandbox;
mod schedule;
mod sessions;
mod stream;
mod temporal;
mod tidy;
mod why;
mod window_joins;
mod windows;
