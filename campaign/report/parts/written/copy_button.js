// Copies the text before it; where a browser does not let it, selects the text.
(() => {
  const box = document.currentScript.previousElementSibling;
  const text = box.querySelector(".text");
  const button = box.querySelector("button");
  const said = box.querySelector("[role=status]");
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(text);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  button.hidden = false;
  button.addEventListener("click", async () => {
    select();
    let done = false;
    try {
      await navigator.clipboard.writeText(text.innerText);
      done = true;
    } catch {
      done = document.execCommand("copy");
    }
    said.textContent = done ? "Copied." : "Selected: copy it with Ctrl-C or Cmd-C.";
  });
})();
