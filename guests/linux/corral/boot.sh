# The machine came up; that was all.
true
