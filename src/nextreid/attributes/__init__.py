"""Attributes: what can be said about an object, and the grammar that says it."""

from nextreid.attributes.grammar import Grammar, GroupSentence
from nextreid.attributes.schema import Attribute, Group, Schema, load_schema

__all__ = ["Attribute", "Grammar", "Group", "GroupSentence", "Schema", "load_schema"]
