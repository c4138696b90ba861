"""The lab's tab `orders`, in English."""

ORDERS_EN: dict[str, str] = {}
