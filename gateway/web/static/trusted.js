/* The one default Trusted Types policy. It lets htmx parse fragments (which come from our own
   origin only: its requests are same-origin and connect-src is 'self'), and nothing else: no
   script text, no script address, no innerHTML. */
(() => {
  "use strict";
  if (!window.trustedTypes || !window.trustedTypes.createPolicy) return;
  const parsers = ["Document parseHTMLUnsafe", "DOMParser parseFromString"];
  window.trustedTypes.createPolicy("default", {
    createHTML: (text, _type, sink) => (parsers.includes(sink) ? text : null),
  });
})();
