"""The page as an API and as MCP tools."""
