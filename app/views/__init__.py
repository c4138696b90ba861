"""Views: from a trace to plain rows. They know no plotly; what draws them knows no trace.

Each module has one frozen dataclass for what is to be seen and one function that makes it from a trace.
Probabilities are float, entropies and margins in nats; token texts are display texts.
"""
