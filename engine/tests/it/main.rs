//! The engine from outside: rules of the house, drivers against each other.

mod changelog;
mod drivers;
mod emission;
mod paces;
mod grouping;
mod joins;
mod live;
mod manual;
mod ordered;
mod over;
mod qualify;
mod random;
mod rank;
mod sandbox;
mod scalars;
mod schedule;
mod sessions;
mod stream;
mod temporal;
mod tidy;
mod why;
mod window_joins;
mod windows;
