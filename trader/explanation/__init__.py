"""Why was this (not) bought? The journal folded up to a decision, and its rules asked again about what they saw."""
