// The lab's tab "words".
"use strict";
(() => {
  dx.labTabs = dx.labTabs || {};
  dx.labTabs.words = (body, sheet, emit) => body.replaceChildren();
})();
