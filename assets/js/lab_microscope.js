// The lab's tab "microscope".
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};
  dx.labTabs.microscope = (body, sheet, emit) => body.replaceChildren();
})();
