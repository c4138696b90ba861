"""Tokens as text and bytes, without a tokenizer at hand."""
