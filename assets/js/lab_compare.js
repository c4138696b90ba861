// The lab's tab "compare".
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};
  dx.labTabs.compare = (body, sheet, emit) => body.replaceChildren();
})();
