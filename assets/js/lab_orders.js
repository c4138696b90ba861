// The lab's tab "orders".
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};
  dx.labTabs.orders = (body, sheet, emit) => body.replaceChildren();
})();
