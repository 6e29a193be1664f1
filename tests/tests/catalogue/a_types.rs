//! A. Restart types, strategies, budgets.
