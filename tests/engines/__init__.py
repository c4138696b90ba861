"""Checks against other engines that take too long, or need too much, for `make test`: run by hand, tables committed."""
