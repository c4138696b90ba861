// The lab's tab "draw".
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};
  dx.labTabs.draw = (body, sheet, emit) => body.replaceChildren();
})();
