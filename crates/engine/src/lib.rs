//! The rules: operations, sealing, inventory, access, jobs, background loops.
