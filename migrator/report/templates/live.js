(() => {
  const seconds = Number(document.currentScript.dataset.seconds) || 5;
  const ask = async () => {
    try {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      if (answer.ok) {
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        const focused = document.activeElement && document.activeElement.id;
        const opened = new Map([...document.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
        for (const [id, open] of opened) {
          const one = next.getElementById(id);
          if (one) one.open = open;
        }
        for (const part of ["header", "main", "footer"]) {
          const here = document.querySelector(part), there = next.querySelector(part);
          if (here && there && here.innerHTML !== there.innerHTML) here.replaceChildren(...there.childNodes);
        }
        if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
        document.title = next.title;
      }
    } catch {
      document.title = document.title.startsWith("(") ? document.title : "(no answer) " + document.title;
    }
    setTimeout(ask, seconds * 1000);
  };
  setTimeout(ask, seconds * 1000);
})();
