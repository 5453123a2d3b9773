//! The panels: each file turns the model into what one panel shows, as plain data.

pub mod events;
pub mod graph;
pub mod late;
pub mod plane;
pub mod recovery;
pub mod rows;
