history.replaceState(null, "", "/");
