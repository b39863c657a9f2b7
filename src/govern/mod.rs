//! What is written down of every call in a case.
