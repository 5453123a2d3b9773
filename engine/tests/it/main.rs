//! The engine from outside: rules of the house, drivers against each other.

mod tidy;
mod tmp;
