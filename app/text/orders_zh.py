"""The lab's tab `orders`, in Chinese."""

ORDERS_ZH: dict[str, str] = {}
