// SIGUSR1 asks a part to end with all that it runs. Node opens its debugger on it and goes on until
// somebody listens; so somebody does before anything else is loaded, and keeps it for the part.

let wasAsked = false;
let listener: (() => void) | undefined;

process.on('SIGUSR1', () => {
  wasAsked = true;
  listener?.();
});

/** Also of one that came before; one part a program. */
export function onSigusr1(then: () => void): void {
  listener = then;
  if (wasAsked) then();
}
