"""`/api/redeem`: the page behind a gift's link, reached through the app proxy of the shop.

It is the same page for every code, and whoever opens it learns nothing before they are logged in
and send the code.
"""

from fastapi import APIRouter, Response

router = APIRouter(tags=["claims"])

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Redeem a code</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem }
input, button { font: inherit; padding: .5rem; width: 100%; box-sizing: border-box }
button { margin-top: .5rem; cursor: pointer }
</style>
</head>
<body>
<h1>Redeem a code</h1>
<form>
<label for="code">Your code</label>
<input id="code" name="code" autocomplete="off" spellcheck="false" maxlength="64" required>
<button>Put the credits into my account</button>
</form>
<p role="status"></p>
<script>
const form = document.querySelector('form'), said = document.querySelector('[role=status]');
const key = crypto.randomUUID();
form.code.value = new URLSearchParams(location.search).get('code') || '';
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  said.textContent = 'One moment …';
  try {
    const code = form.code.value;
    const answer = await fetch('claims', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key + code },
      body: JSON.stringify({ code }),
    });
    if (answer.ok) said.textContent = 'Done: the credits are in your account.';
    else if (answer.status === 401) said.textContent = 'Log in to your account first.';
    else said.textContent = (await answer.json()).detail;
  } catch {
    said.textContent = 'That did not work; check your connection and try again.';
  }
});
</script>
</body>
</html>
"""


@router.get("/redeem", include_in_schema=False)
def show_page() -> Response:
    """Return the page on which a customer types a code."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(PAGE, headers=headers, media_type="text/html")
