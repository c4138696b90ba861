"""Constrained decoding: a JSON schema, a regular expression or a grammar says which tokens may come.

The grammars are compiled and matched by the library xgrammar (extra `constrained`); what is ours is the processor
around it, which knows where each row's text is by the row's own tokens, and so follows beams, forks and what-ifs:

    from decoding.constraints import JsonSchemaConstraint
    out = model.generate(**inputs, logits_processor=[JsonSchemaConstraint(schema, tokenizer)])
"""

from decoding.constraints.processors import (
    Constraint,
    GrammarConstraint,
    JsonSchemaConstraint,
    RegexConstraint,
)

__all__ = ["Constraint", "GrammarConstraint", "JsonSchemaConstraint", "RegexConstraint"]
