import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useConnection, usePeal, useRows } from "@peal/client/react";

const getToken = async ({ signal }) => {
  const answer = await fetch("/token", { signal });
  return answer.ok ? answer.text() : Promise.reject(new Error(`no token: ${answer.status}`));
};

function Notes() {
  const client = usePeal(import.meta.env.VITE_PEAL_URL, { getToken });
  const { state } = useConnection(client);
  const notes = useRows(client, "note.*");
  const add = (form) => client.append(
    `note.${crypto.randomUUID()}`, "note_created", { text: form.get("text") },
  ).catch(({ message }) => alert(message));
  return <>
    <p role="status">{state}</p>
    <ul>{notes.map(({ topic, value }) => <li key={topic}>{value.text}</li>)}</ul>
    <form action={add}><input name="text" aria-label="Text" /><button>Add</button></form>
  </>;
}

createRoot(document.getElementById("root")).render(<StrictMode><Notes /></StrictMode>);
