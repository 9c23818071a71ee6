/* The upload page with a bar of what has been sent; without this script the form works as it is. */

(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const file = form.querySelector("input[type=file]");
  const error = document.getElementById("file-error");
  const panel = form.querySelector(".shelf-progress");
  const bar = panel.querySelector("progress");
  const text = panel.querySelector("[role=status]");
  const button = form.querySelector("button[type=submit]");
  const megabytes = (bytes) => (bytes / 1048576).toFixed(1);

  const say = (problem) => {
    error.textContent = problem;
    error.hidden = !problem;
    file.toggleAttribute("aria-invalid", Boolean(problem));
  };

  const isTooLarge = () => file.files.length && file.files[0].size > Number(form.dataset.limit);

  file.addEventListener("change", () => say(isTooLarge() ? form.dataset.tooLarge : ""));

  const ended = (problem) => {
    panel.hidden = true;
    button.disabled = false;
    say(problem);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isTooLarge()) return say(form.dataset.tooLarge);
    say("");
    button.disabled = true;
    panel.hidden = false;
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      text.textContent = `${megabytes(loaded)} of ${megabytes(total)} MB sent`;
    });
    request.addEventListener("load", () => {
      if (request.status < 400) window.location = request.responseURL;
      else ended(request.status === 413 ? form.dataset.tooLarge : form.dataset.broken);
    });
    request.addEventListener("error", () => ended(form.dataset.broken));
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
})();
