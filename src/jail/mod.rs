//! The jail: how a program is started so that it can do little.
//!
//! What a jail allows is a [`policy`], a YAML file that is read and checked in
//! full before anything is built from it.

pub mod policy;
