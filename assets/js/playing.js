// What plays: steps forward at a pace until it is stopped, or there is nothing more.
"use strict";
(() => {
  /** `forward` goes on and says whether more is to come; `shown` is told when it starts and stops. */
  dx.player = (forward, shown) => {
    let [timer, pace] = [0, 1000];
    const stop = () => {
      if (!timer) return;
      clearInterval(timer);
      timer = 0;
      shown(false);
    };
    const start = (milliseconds) => {
      const was = timer;
      clearInterval(timer);
      pace = milliseconds;
      timer = setInterval(() => forward() || stop(), pace);
      if (!was) shown(true);
    };
    return { start, stop, plays: () => timer !== 0 };
  };
})();
